"""A running Daybook and its service, as benchmarks load it from a second process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import msgspec
import psutil

from bench.http.load import Found
from daybook import serving, workers
from daybook.settings import Settings


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Bench:
    """A running Daybook, its service, and a load beside it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        parts = urlsplit(serving.address(settings) or "")
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.token = serving.token(settings, "bench", "service", 3_600)
        self.service = psutil.Process(workers.process(settings.data, "api").pid() or 0)
        self.seed = 0

    def pin(self, core: int | None) -> None:
        """Let the service run on one core; None: on all."""
        if hasattr(self.service, "cpu_affinity"):
            every = list(range(psutil.cpu_count() or 1))
            cores = every if core is None else [core]
            for thread in self.service.threads():
                os.sched_setaffinity(thread.id, cores)

    def load(self, **plan: object) -> tuple[Found, float]:
        """What came of a plan, and the CPU seconds of the service meanwhile."""
        self.seed += 1  # no event is sent twice
        told = {"host": self.host, "port": self.port, "token": self.token, "seed": self.seed, **plan}
        before = self._cpu_s()
        done = subprocess.run(
            [sys.executable, "-m", "bench.http.load"],
            input=json.dumps(told).encode(),
            stdout=subprocess.PIPE,
            check=True,
            start_new_session=True,  # Linux shares its processors out by sessions: as the service has one, the load has
        )
        return msgspec.json.decode(done.stdout, type=Found), self._cpu_s() - before

    def memory_mib(self) -> float:
        """Resident memory of the service."""
        return float(self.service.memory_info().rss) / (1 << 20)

    def _cpu_s(self) -> float:
        times = self.service.cpu_times()
        return float(times.user + times.system)
