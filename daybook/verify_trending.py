"""Are the lists in every store what the raw views say? One plain pass (streams/trending/offline.py), compared with all.

Raw views are kept for a week, and a baseline reaches further back: of a stream that is older than six days, or of which
views were dropped (daybook/keep), the scores cannot be made again, and then only the stores are compared with each
other. A list that moves meanwhile is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator

import redis

from daybook import trending
from daybook.keep.raw import was_dropped
from daybook.settings import Settings
from schemas.trending import TrendingList
from sinks.clickhouse import client as clickhouse
from sinks.redis.trending import keys
from streams.trending.offline import Received, lists
from streams.trending.scoring import Params

_COMPLETE_MS = 6 * 86_400_000
Shown = list[tuple[str, int]]


def differences(settings: Settings) -> tuple[int, list[str]]:
    """How many lists there are, and one line per list that differs in a store. Everything must have been caught up."""
    held = {(row.kind, row.region, row.window): row for row in trending.all_lists(settings)}
    records = trending.received(settings, 0, 1 << 60)
    if not held and not records:
        return 0, []
    by_event_time = settings.trending_clock == "event"
    blocked = trending.blocked_now(settings)
    if _span_ms(records) > _COMPLETE_MS or _some_are_gone(settings):
        return len(held), list(_in_redis(settings, held))
    clock_ms = max((row.at_ms for row in held.values()), default=0)  # the last view may be gone, with who was erased
    expected = lists(records, Params(), by_event_time=by_event_time, blocked=blocked, at_least_ms=clock_ms)
    after = {(row.kind, row.region, row.window): row.version for row in trending.all_lists(settings)}
    still = {at: row for at, row in held.items() if after[at] == row.version}
    found: list[str] = []
    for at in sorted({*still, *(expected.keys() - held.keys())}):
        want = [(entry.id, entry.parts.score) for entry in expected.get(at, [])]
        found += _lines(at, want, held.get(at))
    return len({*held, *expected}), found + list(_in_redis(settings, still))


def _some_are_gone(settings: Settings) -> bool:
    with clickhouse.dial(settings.address("clickhouse")) as client:
        return was_dropped(client, "views")


def _span_ms(records: list[Received]) -> int:
    times = [record.received_ms for record in records]
    return max(times) - min(times) if times else 0


def _lines(at: tuple[str, str, str], want: Shown, row: TrendingList | None) -> Iterator[str]:
    have = [] if row is None else [(entry.id, entry.score) for entry in row.entries]
    if want != have:
        place = next((n for n in range(len(want)) if want[n : n + 1] != have[n : n + 1]), len(want))
        yield (
            f"trending {' '.join(at)} place {place + 1}: events {want[place : place + 1]}, "
            f"postgres {have[place : place + 1]}; {len(want)} and {len(have)} entries"
        )


def _in_redis(settings: Settings, held: dict[tuple[str, str, str], TrendingList]) -> Iterator[str]:
    with redis.Redis.from_url(settings.address("redis"), decode_responses=True) as store:
        for at, row in sorted(held.items()):
            name, beside = keys(*at)
            if store.hget(beside, "version") is None:
                continue  # it may have expired there
            stored: Shown = sorted(((item, int(score)) for item, score in store.zrange(name, 0, -1, withscores=True)))
            have = sorted((entry.id, entry.score) for entry in row.entries)
            if stored != have:
                yield f"trending {' '.join(at)}: postgres {len(have)} entries, redis {len(stored)}, and they differ"
