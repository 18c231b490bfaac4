"""A worker process: the app in Faust's worker, quiet, stopped by SIGTERM or SIGINT after a last commit."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import faust

from streams.runtime.chunkapp import ChunkApp
from streams.runtime.quiet import hush


class _Worker(faust.Worker):
    async def _sentinel_task(self) -> None:
        """Faust sleeps for a second before it closes the loop, when nothing is left to wait for."""


def run_worker(app: ChunkApp, *, loglevel: int = logging.INFO, **options: Any) -> NoReturn:
    """Run ``app`` until a signal; exits 0 after an orderly stop.

    Exit codes: 0 stopped by a signal, 70 stopped to stay exact (start it again), 78 refused (do what the line says).
    Logging is set up here only if nobody did it before.
    """
    if not logging.root.handlers:
        logging.basicConfig(level=loglevel, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    hush()
    app.finalize()
    worker = _Worker(app, override_logging=False, redirect_stdouts=False, quiet=True, **options)
    worker.spinner = None
    worker.execute_from_commandline()
