from streams.runtime.transport.chunk import Chunk

def fill(
    chunk: Chunk, data: bytes, at: int, count: int, base: int, first_ms: int, fixed_ms: int, start: int
) -> bool: ...
