"""`python -m bench.progress.fold`: what the fold alone costs a daily row, without Kafka, and how large its state is."""

from __future__ import annotations

import gc
import json
import sys
import time
import zlib

from bench.progress.days import ROWS_A_DAY, daily_rows
from schemas.topics import PROGRESS
from streams.progress.core import Progress
from streams.state import Records

PARTITIONS, CHUNK = 1, 2_500


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    users = int(sys.argv[2]) if len(sys.argv) > 2 else 2_500
    parts: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
    for key, value in daily_rows(total, users):
        parts[zlib.crc32(key.partition(b"|")[0]) % PARTITIONS].append((key, value))
    states = [Progress(number) for number in range(PARTITIONS)]
    gc.freeze()
    gc.disable()
    folded = drained = 0.0
    written = size = logged = 0
    for at in range(0, max(map(len, parts)), CHUNK):
        for number, part in enumerate(parts):
            some = part[at : at + CHUNK]
            n = len(some)
            records = Records("daily", number, range(at, at + n), [0] * n, [k for k, _ in some], [v for _, v in some])
            began = time.process_time()
            states[number].fold(records)
            between = time.process_time()
            out = states[number].drain(at + 1)
            folded, drained = folded + between - began, drained + time.process_time() - between
            written += len(out.rows[PROGRESS.name])
            size += sum(len(v or b"") for _, v in out.rows[PROGRESS.name])
            logged += sum(len(k) + len(v or b"") for k, v in out.state)
    histories = [user.history for state in states for user in state.users.values()]
    print(
        json.dumps(
            {
                "rows": total,
                "users": users,
                "days_a_user": round(total / users / ROWS_A_DAY),
                "fold_us": round(folded / total * 1e6, 2),
                "drain_us": round(drained / total * 1e6, 2),
                "rows_per_second": round(total / (folded + drained)),
                "progress_rows_per_row": round(written / total, 2),
                "bytes_a_progress_row": round(size / written),
                "changelog_bytes_a_row": round(logged / total),
                "packed_bytes_a_day": round(sum(h.nbytes for h in histories) / sum(map(len, histories))),
            }
        )
    )


if __name__ == "__main__":
    main()
