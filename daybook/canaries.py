"""Canaries: how long an event takes to be readable, measured from the outside, store by store, every few seconds.

Each partition of `meals` has its canary (schemas/canary.py), in turn. One is on its way at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from itertools import count, cycle

from aiokafka.partitioner import murmur2

from daybook.peek import Peek
from daybook.telling import Teller
from schemas import canary
from schemas.metrics import SINK_ROLES, Meters
from schemas.topics import MEALS

log = logging.getLogger(__name__)

OVERDUE_S = 60.0
FIRST_LOOK_S, LONGEST_LOOK_S = 0.01, 0.25
_EPOCH_S = 1_577_836_800
"""2020: revisions are twice the seconds since then, so that they grow across restarts and end in 2054."""


def subjects(partitions: int) -> list[str]:
    """A canary's subject for each partition, found by trying: the same on every machine."""
    found: dict[int, str] = {}
    for number in count():
        user = canary.subject(number)
        found.setdefault((murmur2(user.encode()) & 0x7FFFFFFF) % partitions, user)
        if len(found) == partitions:
            return [found[partition] for partition in range(partitions)]
    raise AssertionError("numbers do not end")


class Canaries:
    """Sends one after the other, and measures."""

    def __init__(self, teller: Teller, partitions: int, meters: Meters, stop: threading.Event) -> None:
        self._teller, self._meters, self._stop = teller, meters, stop
        self._users = cycle(subjects(partitions))
        self._revision = 0
        self._told: dict[str, float] = {}

    def beat(self, peek: Peek) -> None:
        """Send one canary and wait until every store shows it, or it is overdue."""
        user, today = next(self._users), datetime.now(UTC).date().isoformat()
        before = {store: peek.version(store, user, today) for store in SINK_ROLES}
        self._revision = max(self._revision + 2, (int(time.time()) - _EPOCH_S) * 2)
        events = canary.events(user, self._revision, today)
        began = time.monotonic()
        self._teller.send(MEALS.name, [(user.encode(), event) for event in events])
        self._meters.add("daybook_canaries_total")
        waiting, pause = before, FIRST_LOOK_S
        while waiting and not self._stop.is_set():
            for store in list(waiting):
                seen = peek.version(store, user, today) > waiting[store]
                took = time.monotonic() - began
                if seen:
                    self._meters.observe("daybook_freshness_seconds", store, value=took)
                if seen or took > self._told.get(store, 0.0):  # one that is overdue shows as it grows
                    self._meters.set("daybook_freshness_last_seconds", store, to=took)
                    self._told[store] = took
                if seen:
                    del waiting[store]
            if waiting and time.monotonic() - began > OVERDUE_S:
                for store in waiting:
                    self._meters.add("daybook_canaries_lost_total", store)
                log.warning("a canary is not readable in %s after %g s", ", ".join(waiting), OVERDUE_S)
                return
            if waiting:
                self._stop.wait(pause)
                pause = min(pause * 1.2, LONGEST_LOOK_S)
