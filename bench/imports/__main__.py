"""python -m bench.imports [--mb 1000]: read a generated Apple Health export of that size, send nothing.

Prints one line of JSON: MB a second (also of CPU time, where the machine does other work), the process's peak memory
before and after, rows and events. Exits 1 where the peak grows by more than --most-mb.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.imports.export import write

MB = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description=__doc__)
    parser.add_argument("--mb", type=int, default=1000, help="size of the export [default: 1000]")
    parser.add_argument("--most-mb", type=int, default=300, help="how far memory may grow [default: 300]")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read is not None:
        print(json.dumps(measured(asked.read)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.xml"
        rows = write(path, asked.mb * MB)
        # a process of its own: what the writing took is not what the reading takes
        command = [sys.executable, "-m", "bench.imports", "--read", str(path)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(found))
    grown = found["peak_mb"] - found["peak_before_mb"]
    if found["rows"] != rows:
        print(f"{rows} rows were written, {found['rows']} read", file=sys.stderr)
    if grown > asked.most_mb:
        print(f"memory grew by {grown} MB", file=sys.stderr)
    return int(found["rows"] != rows or grown > asked.most_mb)


def measured(path: Path) -> dict[str, float]:
    """Read a file to its end, as `daybook import --dry-run` does but without printing."""
    from producers.imports.outcome import Options
    from producers.imports.run import Tally, find, records

    tally, now_ms = Tally(), int(time.time() * 1000)
    before, started, used = peak_mb(), time.monotonic(), time.process_time()
    found = find("apple-health", [path])
    sent = 0
    for record in records("apple-health", found, Options("u_1"), tally, now_ms=now_ms, tell=print):
        sent += len(record.value)
    seconds, cpu_s = time.monotonic() - started, time.process_time() - used
    size = path.stat().st_size
    return {
        "mb": round(size / MB, 1),
        "seconds": round(seconds, 1),
        "mb_per_s": round(size / MB / seconds, 1),
        "cpu_s": round(cpu_s, 1),
        "mb_per_cpu_s": round(size / MB / cpu_s, 1),
        "peak_before_mb": before,
        "peak_mb": peak_mb(),
        "rows": tally.read,
        "events": tally.made.total(),
        "event_mb": round(sent / MB, 1),
    }


def peak_mb() -> float:
    """The most memory that this process has had so far; Linux tells kibibytes, macOS bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / MB, 1)


if __name__ == "__main__":
    sys.exit(main())
