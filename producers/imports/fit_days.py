"""What a FIT device says about days and nights: counters since midnight, stages of sleep.

Days     `monitoring` counts since local midnight, kind by kind of activity (walking, running), and a day may be spread
         over many files, not all of which have all kinds. One event a local day and kind: its highest counters. Its
         revision is the second of its last record: the file that knows more of a day wins, in whatever order they come.
Sleep    An `event` of number 74 starts and ends a sleep; `sleep_level` gives the end of each stage (as Gadgetbridge's
         GarminSleepSessionProvider reads them too). Without stages, all of it counts as asleep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from producers.imports.localtime import at_offset, in_utc, in_zone
from producers.imports.outcome import Bad, Draft, Outcome, Skipped
from producers.imports.quantities import plain
from schemas.instants import MS_PER_DAY, day_text, zone_offset_min

_STEPPING = ("walking", "running")
_SLEEP_EVENTS = (74, "sleep")
_ASLEEP = ("light", "deep", "rem")
_EPOCH_S = 631_065_600
"""FIT counts seconds since 31 December 1989, UTC; this is when, since 1970."""
_GAP_MS = 3 * 3_600_000
"""Stages further apart than this are not of one sleep."""


class Origin(NamedTuple):
    """Which device, and where it was."""

    source: str
    serial: str
    offset_min: int | None
    """UTC offset of the device's own clock; None where the file does not say."""
    zone: str | None
    """Where to take it from instead."""

    def offset(self, ms: int) -> int | None:
        """UTC offset in minutes at an instant; None where nobody knows."""
        if self.offset_min is not None:
            return self.offset_min
        return None if self.zone is None else zone_offset_min(self.zone, ms)

    def time(self, ms: int) -> str:
        """An instant as events write it."""
        if self.offset_min is not None:
            return at_offset(ms, self.offset_min)
        return in_utc(ms) if self.zone is None else in_zone(ms, self.zone)

    @staticmethod
    def utc(ms: int) -> str:
        """An instant as keys have it: the same wherever it is read."""
        return in_utc(ms)


def ms_of(value: Any) -> int | None:
    """Milliseconds since 1970 of a FIT time; None for what is none, such as seconds since the device was started."""
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else None


def amount_of(value: Any) -> Decimal | None:
    """A number of FIT; None for what is none, such as a list of them."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1e15:
        return None
    return Decimal(str(value))


@dataclass(slots=True)
class _Day:
    """One local day of one kind of activity."""

    place: str
    begin_ms: int
    last_ms: int
    highest: dict[str, Decimal] = field(default_factory=dict)
    rows: int = 0


def monitored_days(
    monitoring: Sequence[Mapping[str, Any]], infos: Sequence[Mapping[str, Any]], origin: Origin
) -> Iterator[Outcome]:
    """One activity a local day and kind."""
    days: dict[tuple[int, str], _Day] = {}
    silent = 0
    last = next((ms for info in infos if (ms := ms_of(info.get("timestamp"))) is not None), None)
    for message in monitoring:
        at = _time_of(message, last)
        if at is None:
            yield Bad(message["place"], "a count without a time")
            continue
        last = at
        counts = _counts(message)
        if not counts:
            silent += 1
            continue
        # what is written at midnight sharp closes the day that ends then
        shift = (origin.offset(at) or 0) * 60_000
        number, kind = (at + shift - 1) // MS_PER_DAY, str(message.get("activity_type", "all"))
        day = days.setdefault((number, kind), _Day(message["place"], _midnight(number, shift, origin), at))
        day.last_ms = max(day.last_ms, at)
        day.rows += 1
        for quantity, count in counts.items():
            day.highest[quantity] = max(day.highest.get(quantity, count), count)
    if silent:
        yield Skipped("monitoring messages without counters", silent)
    yield from (_activity(number, kind, day, origin) for (number, kind), day in sorted(days.items()))


def _midnight(number: int, shift_ms: int, origin: Origin) -> int:
    """When a local day began; its first hours may have another offset than the record that we know of."""
    guess = number * MS_PER_DAY - shift_ms
    return number * MS_PER_DAY - (origin.offset(guess) or 0) * 60_000


def _time_of(message: Mapping[str, Any], last_ms: int | None) -> int | None:
    """Full time of a message; most have only the last 16 bits of their seconds since FIT's epoch."""
    if (full := ms_of(message.get("timestamp"))) is not None:
        return full
    low = message.get("timestamp_16")
    if last_ms is None or not isinstance(low, int):
        return None
    base = last_ms // 1000 - _EPOCH_S
    return (base + ((low - base) & 0xFFFF) + _EPOCH_S) * 1000


def _counts(message: Mapping[str, Any]) -> dict[str, Decimal]:
    """Steps and metres on foot and active kcal since midnight, those that there are."""
    found: dict[str, Decimal | None] = {"calories_kcal": amount_of(message.get("active_calories"))}
    if message.get("activity_type") in _STEPPING:
        cycles = amount_of(message.get("cycles"))
        found["steps"] = amount_of(message.get("steps")) if cycles is None else cycles * 2
        found["distance_m"] = amount_of(message.get("distance"))
    return {quantity: count for quantity, count in found.items() if count is not None}


_LONGEST_S = 20 * 3600 - 1
"""What walking and running count of a day adds up. An interval of 20 h or more would be taken for the provider's total
of the day, beside which its other intervals do not count (docs/metrics.md)."""


def _activity(number: int, kind: str, day: _Day, origin: Origin) -> Draft:
    data: dict[str, Any] = {"duration_s": min(max(1, (day.last_ms - day.begin_ms) // 1000), _LONGEST_S)}
    data |= {name: plain(count, 0 if name == "steps" else 3) for name, count in sorted(day.highest.items())}
    key, revision = (origin.serial, day_text(number), kind), day.last_ms // 1000 - _EPOCH_S
    time = origin.time(day.begin_ms)
    return Draft(day.place, "activity.recorded", time, origin.source, key, data, day.rows, revision)


def sleeps(
    levels: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], origin: Origin
) -> Iterator[Outcome]:
    """One sleep from each start to its end; stages outside of all of them are skipped."""
    stages = sorted((at, str(m.get("sleep_level"))) for m in levels if (at := ms_of(m.get("timestamp"))) is not None)
    yield from (Bad(m["place"], "a stage without a time") for m in levels if ms_of(m.get("timestamp")) is None)
    bounds = _bounds(events) or _spans(stages)
    used = 0
    for begin, end in bounds:
        own = [stage for stage in stages if begin < stage[0] <= end]
        used += len(own)
        before, asleep = begin, 0
        for at, level in own:
            asleep += at - before if level in _ASLEEP else 0
            before = at
        data = {"asleep_s": (asleep if own else end - begin) // 1000, "in_bed_s": (end - begin) // 1000}
        key = (origin.serial, origin.utc(begin))
        yield Draft("sleep", "sleep.recorded", origin.time(end), origin.source, key, data, len(own))
    if left := len(stages) - used:
        yield Skipped("stages outside of a sleep", left)


def _bounds(events: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    found, begin = [], None
    for event in events:
        at = ms_of(event.get("timestamp"))
        if event.get("event") not in _SLEEP_EVENTS or at is None:
            continue
        if event.get("event_type") == "start":
            begin = at
        elif begin is not None and at > begin:
            found.append((begin, at))
            begin = None
    return found


def _spans(stages: Sequence[tuple[int, str]]) -> list[tuple[int, int]]:
    """Without events: from the end of the first stage, whose beginning nobody knows, to the end of the last."""
    found: list[tuple[int, int]] = []
    for at, _ in stages:
        if found and at - found[-1][1] < _GAP_MS:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return [(begin, end) for begin, end in found if end > begin]
