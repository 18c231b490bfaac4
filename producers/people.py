"""Who the made-up people are: where and how they live, what they write with. Constant for a seed and a number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from producers.dice import between, dice, pick

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",  # +05:45
    "Asia/Kolkata",
    "America/Los_Angeles",
    "Australia/Lord_Howe",  # summer time is half an hour
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "UTC",
)
PHONES = ("ios/5.2.0", "ios/5.3.1", "android/4.9.1", "android/5.0.0", "web/3.0")

Writes = Literal["offset", "offset and zone", "Z and zone", "Z"]
_WRITES: dict[Writes, int] = {"offset": 10, "offset and zone": 4, "Z and zone": 3, "Z": 3}
_HABITS = [writes for writes, share in _WRITES.items() for _ in range(share)]


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up person. Days are days since 1970-01-01."""

    subject: str
    writes: Writes
    """How their apps write times."""
    home: str
    trip: tuple[int, int, str]
    """First day away, first day back, zone meanwhile; most never leave."""
    phone: str
    watch: bool
    records_hours: bool
    """Whether a device records their activity hour by hour."""
    profile: bool
    day_start: str
    up_late: bool
    trains_per_week: int
    weight_kg: float
    strength: float
    """Multiplier on typical loads."""

    def zone_on(self, day: int) -> str:
        """The zone that they are in."""
        first, back, away = self.trip
        return away if first <= day < back else self.home


@lru_cache(maxsize=65_536)
def person(seed: int, number: int, first_day: int, days: int, activity: float) -> Person:
    """The person of that number; `activity` is the share of people with `records_hours`."""
    rng = dice(seed, "person", number)
    random = rng.random
    leaves = first_day + int(random() * days) if random() < 0.08 else 0
    late = random() < 0.3
    return Person(
        subject=f"u_{number:06}",
        writes=pick(rng, _HABITS),
        home=pick(rng, ZONES),
        trip=(leaves, leaves + between(rng, 2, 10) if leaves else 0, pick(rng, ZONES)),
        phone=pick(rng, PHONES),
        watch=random() < 0.4,
        records_hours=random() < activity,
        profile=random() < 0.6,
        day_start="04:00" if late else pick(rng, ("00:00", "00:00", "00:00", "02:30")),
        up_late=late or random() < 0.1,
        trains_per_week=between(rng, 2, 5),
        weight_kg=between(rng, 480, 1100) / 10,
        strength=between(rng, 4, 16) / 10,
    )
