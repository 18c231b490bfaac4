"""Apple Health's export.xml as a stream: its top-level elements one by one, in memory that does not grow with the file.

The document type is skipped: from iOS 16 on it was not well-formed, and without it nothing can define entities.
Characters that XML forbids are dropped. An element that is not well-formed is bad, and reading goes on with the
next line that begins a top-level element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from producers.imports.outcome import Bad, ImportProblem

CHUNK = 1 << 18
_ROOT = b"<HealthData>"
_BEGIN = re.compile(rb"<HealthData(?=[\s>])")
_PROLOGUE_MOST = 1 << 20
"""How many bytes may stand before the root."""
_FORBIDDEN = bytes(code for code in range(32) if code not in b"\t\n\r")
_NEXT = re.compile(rb"\n ?<(?=Record |Workout |Correlation |ActivitySummary |ClinicalRecord |/HealthData)")
_CHILDREN = ("MetadataEntry", "WorkoutStatistics")


class Element(NamedTuple):
    """One top-level element."""

    line: int
    name: str
    attributes: dict[str, str]
    children: list[tuple[str, dict[str, str]]]
    """Metadata entries and statistics."""


class _Handler:
    """Takes what expat finds, until somebody fetches it."""

    def __init__(self, first_line: int) -> None:
        self.parser = expat.ParserCreate()
        if not_now := getattr(self.parser, "SetReparseDeferralEnabled", None):
            not_now(False)  # since Expat 2.6 it may keep bytes for later, and errors come chunks after their place
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.first_line = first_line
        self.found: list[Element] = []
        self.depth = 0
        self.closed = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 2:
            self.found.append(Element(self.line, name, attributes, []))
        elif self.depth == 3 and name in _CHILDREN:
            self.found[-1].children.append((name, attributes))

    def end(self, name: str) -> None:
        self.depth -= 1
        if not self.depth:
            self.closed = True

    @property
    def line(self) -> int:
        return self.first_line + self.parser.CurrentLineNumber - 1

    def take(self, *, broken: bool = False) -> list[Element]:
        """What is complete; an element that is still open stays, or goes where it is broken."""
        open_one = self.found.pop() if self.depth >= 2 else None
        taken, self.found = self.found, [] if open_one is None or broken else [open_one]
        return taken


def elements(stream: BinaryIO, name: str) -> Iterator[Element | Bad]:
    """Top-level elements in the order of the file, each once it is complete. Raises ImportProblem for other files."""
    chunk, skipped_lines = _from_root(stream, name)
    lines = skipped_lines  # before `chunk`
    handler: _Handler | None = _Handler(lines + 1)
    fed = 0  # bytes that this parser has had before `chunk`
    while chunk:
        if handler is None:
            found = _NEXT.search(chunk)
            if found is None:
                keep = chunk[-32:]  # the next line may have begun here
                lines += chunk.count(b"\n", 0, len(chunk) - len(keep))
                more = _chunk(stream)
                chunk = keep + more if more else b""
                continue
            lines += chunk.count(b"\n", 0, found.start() + 1)
            chunk = chunk[found.start() + 1 :]
            handler, fed = _Handler(lines + 1), len(_ROOT)
            handler.parser.Parse(_ROOT)
        try:
            handler.parser.Parse(chunk)
        except expat.ExpatError as why:
            yield from handler.take(broken=True)
            if handler.closed:
                return
            yield _bad(handler, why)
            at = max(0, handler.parser.ErrorByteIndex - fed)
            lines += chunk.count(b"\n", 0, at)
            chunk, handler = chunk[at:], None
            continue
        yield from handler.take()
        if handler.closed:
            return
        fed += len(chunk)
        lines += chunk.count(b"\n")
        chunk = _chunk(stream)
    yield Bad(f"line {lines + 1}", "the file breaks off here")


def _bad(handler: _Handler, why: expat.ExpatError) -> Bad:
    reason = expat.ErrorString(why.code)
    return Bad(f"line {handler.first_line + why.lineno - 1}", f"not well-formed XML: {reason}")


def _from_root(stream: BinaryIO, name: str) -> tuple[bytes, int]:
    """The first bytes from the root on, and how many lines stood before it."""
    head = b""
    while (root := _BEGIN.search(head)) is None:
        more = _chunk(stream)
        if not more or len(head) > _PROLOGUE_MOST:
            raise ImportProblem(f"{name}: is no Apple Health export: no <HealthData> in it")
        head += more
    return head[root.start() :], head.count(b"\n", 0, root.start())


def _chunk(stream: BinaryIO) -> bytes:
    """What comes next; empty only at the end."""
    while chunk := stream.read(CHUNK):
        if clean := chunk.translate(None, _FORBIDDEN):
            return clean
    return b""
