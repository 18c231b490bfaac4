"""Named places where a test may end or freeze this process, so that being exact never rests on luck with the moment.

Off unless DAYBOOK_FAULTPOINT names one: `flush.sent=kill`, or `sink.stored=freeze@7` for the seventh time that it is
reached. Nothing is reached per event: off, a flush or a batch pays for one call of an empty function. Streams and sinks
both need it, and this is the one package under both.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

VARIABLE = "DAYBOOK_FAULTPOINT"

POINTS = {
    "rebalance.revoked": "a streams worker was told to give partitions up, and has not drained what is in flight",
    "recovery.fenced": "every earlier owner of the partitions is refused, nothing is read back yet",
    "recovery.restored": "the state is read back, nothing is folded onto it yet",
    "flush.drained": "memory has handed over what changed, the transaction has not begun",
    "flush.sent": "rows, state, rejects and watermark are acknowledged by the broker, the transaction is open",
    "flush.committed": "the transaction is committed, nobody in this process knows yet",
    "sink.gathered": "a batch is read and decoded, nothing of it is written",
    "sink.stored": "the store has the whole batch, the group's offsets do not say so",
    "sink.committed": "the group's offsets say so",
    "postgres.upserted": "the rows are in PostgreSQL's open transaction",
    "clickhouse.inserted": "one table's rows of the batch are in ClickHouse, those of the other tables are not",
    "redis.written": "the rows are in Redis, its own positions do not say so",
}
"""Every place, and what is and is not true when it is reached."""

_SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


def _off(name: str) -> None:
    """What `reach` is when nothing is armed."""


def armed(order: str) -> Callable[[str], None]:
    """What `reach` does by an order such as `flush.sent=kill@3`. Raises ValueError for one that names nothing."""
    point, _, rest = order.partition("=")
    action, _, times = rest.partition("@")
    if point not in POINTS or action not in _SIGNALS or not (times or "1").isdecimal():
        raise ValueError(f"{VARIABLE}: expected POINT={'|'.join(_SIGNALS)}[@N], POINT one of {', '.join(POINTS)}")
    left = int(times or 1)

    def strike(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), _SIGNALS[action])

    return strike


def _from_environment() -> Callable[[str], None]:
    order = os.environ.get(VARIABLE, "")
    try:
        return armed(order) if order else _off
    except ValueError as why:
        sys.exit(str(why))


reach = _from_environment()
"""Say that the process is at a place. Does nothing, unless the environment armed that place."""
