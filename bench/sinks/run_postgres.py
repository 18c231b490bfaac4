"""The sink of PostgreSQL as its role runs it, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys

from sinks.postgres.sink import PostgresSink
from sinks.runner import run_sink


async def main(kafka: str, url: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_sink(PostgresSink(url), kafka, stop=stop)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
