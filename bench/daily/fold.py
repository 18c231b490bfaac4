"""`python -m bench.daily.fold`: what the fold alone costs an event, without Kafka, part by part: CPU, best of several.

The ledgers hold what was folded before, as in a worker that has been running: the last figures are of a large state.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import zlib
from collections.abc import Callable

from producers.bench_events import meal_events
from schemas.codec import Rejected, chunk_reader
from schemas.topics import DAILY
from streams.daily.contribution import meal
from streams.daily.core import Ledger, decide, judge
from streams.state import Records

PARTITIONS, CHUNK, SLICE, USERS = 8, 8_000, 2_000, 20_000
RECEIVED_MS = 1_900_000_000_000


def slices(part: list[tuple[bytes, bytes]], number: int) -> list[Records]:
    """One chunk, as the runtime hands it to the fold."""
    found = []
    for at in range(0, len(part), SLICE):
        some = part[at : at + SLICE]
        n = len(some)
        keys, values = [k for k, _ in some], [v for _, v in some]
        found.append(Records("meals", number, range(at, at + n), [RECEIVED_MS] * n, keys, values))
    return found


def best_us(what: Callable[[], object], events: int, times: int = 5) -> float:
    """CPU microseconds an event, the best of several times."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        what()
        taken.append(time.process_time() - began)
    return round(min(taken) / events * 1e6, 2)


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    parts: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
    for key, value in meal_events(total, USERS):
        parts[zlib.crc32(key) % PARTITIONS].append((key, value))
    chunks = [
        (number, slices(part[at : at + CHUNK], number))
        for at in range(0, max(map(len, parts)), CHUNK)
        for number, part in enumerate(parts)
    ]
    ledgers = [Ledger(number) for number in range(PARTITIONS)]
    gc.freeze()
    gc.disable()
    folded = drained = 0.0
    rows = 0
    for number, some in chunks:
        began = time.process_time()
        for records in some:
            ledgers[number].fold(records)
        between = time.process_time()
        rows += len(ledgers[number].drain(1).rows[DAILY.name])
        folded, drained = folded + between - began, drained + time.process_time() - between
    sample = [records for _, some in chunks[:PARTITIONS] for records in some]
    events = sum(len(records.values) for records in sample)
    read = [r for s in sample for r in chunk_reader("meals")(s.values, s.timestamps) if not isinstance(r, Rejected)]
    result = {
        "events": total,
        "fold_us": round(folded / total * 1e6, 2),
        "drain_us": round(drained / total * 1e6, 2),
        "rows_per_event": round(rows / total, 2),
        "of_which": {
            "judge_us": best_us(lambda: [judge(s) for s in sample], events),
            "read_us": best_us(lambda: [chunk_reader("meals")(s.values, s.timestamps) for s in sample], events),
            "decide_us": best_us(lambda: [decide(*r) for r in read], events),
            "meal_us": best_us(lambda: [meal(r[0].data) for r in read], events),
        },
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
