"""transport: Faust at the speed of its fetches, one message per fetched partition.

chunk.py      what an agent gets instead of single events, and how it is read out of aiokafka's buffers
thread.py     the consumer's thread: read committed, chunks for topics with a ChunkSchema
consumer.py   commit accounting by identity and order, seeks to watermarks
promise       every fetched record is delivered once, in order, or the process stops; pinned to exact versions of faust,
              mode and aiokafka, whose private parts it leans on (tests/contract/test_transport_contract.py)
"""

from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver

from streams.runtime.transport.chunk import Chunk, ChunkSchema
from streams.runtime.transport.consumer import ChunkConsumer

__all__ = ["Chunk", "ChunkSchema", "Transport"]


class Transport(driver.Transport):
    """Registered as ``chunk`` in the entry points ``faust.transports``."""

    Consumer = ChunkConsumer


TRANSPORTS.aliases["chunk"] = "streams.runtime.transport:Transport"  # also where the package is not (re)installed
