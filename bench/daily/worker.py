"""The worker that is measured: the daily stream as `daybook worker --role streams` runs it, without the store roles."""

from __future__ import annotations

import sys

from streams.daily.agent import build
from streams.runtime import run_worker

PARTITIONS = 8

if __name__ == "__main__":
    run_worker(build(sys.argv[1], partitions=PARTITIONS))
