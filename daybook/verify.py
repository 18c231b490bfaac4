"""Is every day in every store, what a user's days come to, every trending list and every taste what the events say?

All is recomputed from ClickHouse and compared with all three. Users are compared range by range in byte order, so that
memory stays bounded. What differs is looked at again after every sink has passed the positions that were read before:
only what still differs then is reported (DESIGN §8 rule 20). A row that is missing from Redis is no mismatch if it may
have expired there, and none that is missing because it was dropped and would say the same today (daybook/keep).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from daybook import defining, progress, sinking, verify_affinity, verify_erased, verify_trending, waiting
from daybook.errors import Problem
from daybook.keep.days import may_be_absent
from daybook.recompute import METRICS, DayKey, Recomputed, differences, recompute
from daybook.settings import Settings
from daybook.stored import Days, Range, Stores
from schemas.tables import Column
from streams.daily.definitions import InForce

USERS_AT_A_TIME = 2_000
LOOKS_AGAIN = 2
_WAIT_S = 120.0


@dataclass(slots=True)
class Report:
    """What verify found."""

    cells: int = 0
    """Days compared."""
    users: int = 0
    """Users whose progress was compared."""
    lists: int = 0
    """Trending lists compared."""
    tastes: int = 0
    """Users whose tastes were compared."""
    mismatches: list[str] = field(default_factory=list)
    """One line per difference: user, day or "progress", column, and the value in each place."""


def verify(settings: Settings) -> Report:
    """Compare everything. Raises Problem if a server does not answer, the sinks do not catch up, or a definition is
    being put in force."""
    report = Report()
    suspects: dict[str, set[DayKey]] = {}
    with Stores(settings) as stores:
        defining.settled(settings)
        _catch_up(settings)
        in_force = defining.known(settings)
        for users in stores.user_ranges(USERS_AT_A_TIME):
            cells, people, found = compare(stores, in_force, users)
            report.cells += cells
            report.users += people
            suspects |= {user: set() for user, _ in found}
        for day in stores.days_only_in_redis():  # it alone cannot be read by ranges
            suspects.setdefault(day[0], set()).add(day)
        for user in stores.users_only_in_redis():
            suspects.setdefault(user, set())
        for _ in range(LOOKS_AGAIN):
            if suspects:
                _catch_up(settings)
            again = {
                user: compare(stores, in_force, Range.of(user), days)[2] for user, days in sorted(suspects.items())
            }
            suspects = {user: suspects[user] for user, found in again.items() if found}
            report.mismatches = [line for found in again.values() for _, line in found]
    if report.mismatches and defining.known(settings).said.number != in_force.said.number:
        raise Problem("another definition of a metric was put in force meanwhile: verify again")
    report.mismatches += verify_erased.differences(settings)
    report.lists, wrong = verify_trending.differences(settings)
    for _ in range(LOOKS_AGAIN):
        if wrong:
            _catch_up(settings)
            report.lists, wrong = verify_trending.differences(settings)
    report.mismatches += wrong
    report.tastes, wrong = verify_affinity.differences(settings)
    for _ in range(LOOKS_AGAIN):
        if wrong:
            _catch_up(settings)
            report.tastes, wrong = verify_affinity.differences(settings)
    report.mismatches += wrong
    return report


def _catch_up(settings: Settings) -> None:
    waiting.until_visible(settings.address("kafka"), list(sinking.groups().values()), _WAIT_S)


def compare(
    stores: Stores, in_force: InForce, users: Range, more: Collection[DayKey] = ()
) -> tuple[int, int, list[tuple[str, str]]]:
    """How many days and users there are, and (user, line) of everything that differs. `more`: days to look at too."""
    expected = recompute(stores.entities(users), stores.events(users), in_force)
    held = {"postgres": stores.postgres(users), "clickhouse": stores.clickhouse(users)}
    days = sorted(set(expected.rows).union(more, *held.values()))
    held["redis"] = stores.redis(days)
    left = may_be_absent(stores.dropped(users), expected.rows)
    lines = [
        (user, f"{user} {entity}: its winner is in events, but not in entities") for user, entity in expected.holes
    ]
    lines += [
        (user, f"{user} {entity}: its winner in entities is not what its event says")
        for user, entity in expected.altered
    ]
    for day in days:
        lines += [(day[0], line) for line in _lines(day, expected, held, stores.redis_ttl_ms, day in left)]
    people, found = _compare_progress(stores, users, expected)
    return len(days), people, lines + found


def _compare_progress(stores: Stores, users: Range, days: Recomputed) -> tuple[int, list[tuple[str, str]]]:
    expected = progress.expected(days.rows)
    held = stores.progress(users, {*expected, *({users.only} if users.only else ())})
    youngest: dict[str, int] = {}
    for (user, _), ms in days.received_ms.items():
        youngest[user] = max(ms, youngest.get(user, 0))
    found: list[tuple[str, str]] = []
    everybody = sorted({*expected, *(user for rows in held.values() for user in rows)})
    for user in everybody:
        expired = ["redis"] if _expired(youngest.get(user), stores.redis_ttl_ms) else []
        rows = {store: rows.get(user) for store, rows in held.items()}
        found += [(user, line) for line in progress.lines(user, expected.get(user), rows, expired)]
    return len(everybody), found


def _lines(day: DayKey, expected: Recomputed, held: Mapping[str, Days], ttl_ms: int, left: bool) -> Iterator[str]:
    want = expected.rows.get(day)
    wrong: dict[str, list[Column]] = {}
    for store, rows in held.items():
        if left and day not in rows:
            continue
        if store == "redis" and day not in rows and _expired(expected.received_ms.get(day), ttl_ms):
            continue
        wrong[store] = differences(want, rows.get(day))
    for column in METRICS:
        if bad := [store for store, columns in wrong.items() if column in columns]:
            values = ", ".join(f"{store} {getattr(held[store].get(day), column.field, None)!r}" for store in bad)
            yield f"{day[0]} {day[1]} {column.name}: events {getattr(want, column.field, None)!r}, {values}"


def _expired(received_ms: int | None, ttl_ms: int) -> bool:
    """Whether a row that old may be gone from Redis by itself."""
    return received_ms is None or time.time() * 1000 - received_ms > ttl_ms
