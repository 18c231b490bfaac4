"""The daily stream as `daybook worker` runs it: ledger, changelog, fenced transactions, versioned rows."""

import sys

from streams.daily.agent import build
from streams.runtime import run_worker

run_worker(build(sys.argv[1], partitions=8, worker_name="bench-1"))
