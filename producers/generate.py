"""A made-up population's months as CloudEvents, in the order in which a real one would reach Kafka.

The same arguments bring the same bytes, on every machine and every Python. Each (person, day) has dice of its own, so
nothing is remembered from day to day but the events that are still on their way: memory grows with the number of
people, not of days. People's clocks are lined up: everybody's Monday is delivered together, wherever they live.
`truth.daily_rows` says what it all comes to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from producers import diary
from producers.dice import dice
from producers.faults import DAY_MS, HORIZON_DAYS, Delivery, Shares, deliveries
from producers.people import person
from schemas.instants import day_number, day_text

START = date(2025, 3, 1)
"""First local day by default: summer time begins within the month, on 9 March in America and on 30 March in Europe."""
BLOCK = 4096
"""People whose day is made and put in order at a time. More than one block come one after the other, day by day."""


def events(*, users: int, days: int, seed: int, start: date = START, **shares: float) -> Iterator[bytes]:
    """All events of `users` people over `days` days from `start`. `shares`: see `faults.Shares`.

    Raises ValueError for arguments that make no sense, at once and not at the first event.
    """
    if users < 1 or days < 1:
        raise ValueError(f"Expected at least one user and one day, got {users} and {days}")
    if not 1971 <= start.year <= 9990 or start.year + days // 365 > 9990:
        raise ValueError(f"Expected days between the years 1971 and 9990, got {days} from {start}")
    unknown = shares.keys() - set(Shares.__slots__)
    if unknown:
        raise ValueError(f"Expected shares out of {', '.join(Shares.__slots__)}; got {', '.join(sorted(unknown))}")
    return _events(users, day_number(start), days, seed, Shares(**shares))


def estimate(*, users: int, days: int) -> int:
    """About how many events that will be, with the default shares (for a progress bar)."""
    return round(users * days * diary.EVENTS_PER_DAY)


def _events(users: int, first: int, days: int, seed: int, shares: Shares) -> Iterator[bytes]:
    blocks = [range(low, min(low + BLOCK, users)) for low in range(0, users, BLOCK)]
    waiting: list[dict[int, list[Delivery]]] = [defaultdict(list) for _ in blocks]
    for day in range(first, first + days + HORIZON_DAYS):
        for block, ahead in zip(blocks, waiting, strict=True):
            if day < first + days:
                for number in block:
                    who = person(seed, number, first, days, shares.activity)
                    rng = dice(seed, number, day)
                    for deed in diary.deeds(who, rng, day - first, day_text(day)):
                        for delivery in deliveries(who, rng, day, deed, shares):
                            ahead[max(day, delivery[0] // DAY_MS)].append(delivery)
            for _, event in sorted(ahead.pop(day, ())):
                yield event
