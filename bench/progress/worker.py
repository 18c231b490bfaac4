"""The worker that is measured: the progress stream as `daybook worker --role progress` runs it."""

from __future__ import annotations

import os
import sys

from streams.progress.agent import build
from streams.runtime import run_worker

PARTITIONS = 8

if __name__ == "__main__":
    if core := sys.argv[2]:
        os.sched_setaffinity(0, {int(core)})  # before any thread is started: threads inherit it
    run_worker(build(sys.argv[1], partitions=PARTITIONS))
