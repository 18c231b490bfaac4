"""The worker that is measured: the daily stream as `daybook worker --role streams` runs it, without the store roles."""

from __future__ import annotations

import os
import sys

from streams.daily.agent import build
from streams.runtime import run_worker

PARTITIONS = 8

if __name__ == "__main__":
    if core := sys.argv[2]:
        os.sched_setaffinity(0, {int(core)})  # before any thread is started: threads inherit it
    name, partitions = sys.argv[3] if len(sys.argv) > 3 else None, int(sys.argv[4]) if len(sys.argv) > 4 else PARTITIONS
    run_worker(build(sys.argv[1], partitions=partitions, worker_name=name))
