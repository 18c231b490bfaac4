"""What the ledger's changelog holds: one record per entity, its winner, packed.

key    subject \\0 family letter \\0 entity            (plans: \\0 register, see `register_of`)
value  revision u32 · deleted u8 · digest 16 bytes · time ms i64 · offset i16 · kind u8 · source · zone · contribution

All numbers are big endian, so the first 21 bytes, compared as bytes, are rule 1's order: revision, then is-delete, then
the digest (the first 16 bytes of SHA-256 over the canonical content). The worker keeps winners as these same bytes.
A contribution is what it adds to its day, in lanes (little endian): a u64 per value in base units, a u32 per value that
says whether it is there, and a u32 of 1. Read as one integer it can be summed as it stands. Some kinds have a msgpack
tail after it.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

import msgspec

from schemas.codec import Event

RANK_BYTES = 21
HEADER = Struct(">IB16sqhB")
HEADER_BYTES = HEADER.size
pack_header = HEADER.pack
KIND_AT = HEADER_BYTES - 1
NO_OFFSET = 32_767
"""The offset field of a time that was written with Z."""

FAMILY_LETTERS = {"workouts": "w", "meals": "m", "body": "b", "plans": "p"}
FAMILY_OF_LETTER = {letter: family for family, letter in FAMILY_LETTERS.items()}


class Kind(NamedTuple):
    """How one event type's contribution is packed."""

    code: int
    type: str
    values: tuple[str, ...]
    """Names of the values with their base units."""
    tail: bool = False


KINDS = (
    Kind(1, "meal.logged", ("energy_cal", "protein_mg", "carbs_mg", "fat_mg", "fibre_mg"), tail=True),
    Kind(2, "water.logged", ("water_ml",)),
    Kind(3, "workout.completed", ("duration_s", "calories_cal", "volume_g_reps", "load_s_rpe10"), tail=True),
    Kind(4, "activity.recorded", ("steps", "active_s", "calories_cal", "distance_mm", "duration_s")),
    Kind(5, "sleep.recorded", ("asleep_s", "in_bed_s")),
    Kind(6, "body.measured", ("weight_g", "body_fat_bp", "waist_mm")),
    Kind(7, "goal.set", (), tail=True),
    Kind(8, "plan.assigned", (), tail=True),
    Kind(9, "plan.ended", (), tail=True),
    Kind(10, "profile.updated", (), tail=True),
    Kind(11, "meal.deleted", ()),
    Kind(12, "workout.deleted", ()),
    Kind(13, "body.deleted", ()),
    Kind(14, "water.deleted", ()),
    Kind(15, "activity.deleted", ()),
    Kind(16, "sleep.deleted", ()),
)
"""cal: thousandths of a kcal. bp: hundredths of a percent. load_s_rpe10: duration in s × perceived exertion in tenths.
A meal's tail: its type, or [type, from_plan, planned_item] where it says more (`MealSaid`).
A workout's tail: exercise → the best of its sets (`Lifted`; of generation 1 only the first number of it), or a list of
that, planned_item and completion in hundredths of a percent, where it says one of these."""

KIND_OF_TYPE = {kind.type: kind for kind in KINDS}
KIND_OF_CODE = {kind.code: kind for kind in KINDS}
LANES = {n: Struct(f"<{n}Q{n}II") for n in range(9)}
"""Number of values → the layout of a contribution."""

Values = tuple[int | None, ...]


class Lifted(NamedTuple):
    """The best that a workout's sets of one exercise reach; 0 where no set says it."""

    estimated_1rm_g: int
    heaviest_g: int = 0
    """Largest load of a set with at least one repetition."""
    reps: int = 0
    """Most repetitions of a set, with whatever load."""


def lifted(tail: Any) -> dict[str, Lifted]:
    """Exercise → the best of its sets, from a workout's tail."""
    sets = tail[0] if isinstance(tail, list) else tail
    return {
        exercise: Lifted(said) if isinstance(said, int) else Lifted(*said) for exercise, said in (sets or {}).items()
    }


def fulfilled(tail: Any) -> tuple[str | None, int | None]:
    """Planned item and completion [0.01 %], from a workout's tail."""
    return (tail[1], tail[2]) if isinstance(tail, list) else (None, None)


class MealSaid(NamedTuple):
    """What a meal says about the meal plan."""

    meal_type: str
    from_plan: bool = False
    planned_item: str | None = None


def meal_said(tail: Any) -> MealSaid:
    """A meal's tail, read."""
    return MealSaid(*tail) if isinstance(tail, list) else MealSaid(tail or "")


class Winner(NamedTuple):
    """An unpacked winner."""

    revision: int
    deleted: bool
    digest: bytes
    ms: int
    offset_min: int | None
    kind: Kind
    source: str
    timezone: str | None
    values: Values
    tail: Any


def entity_key(subject: str, family: str, entity: str, register: str | None = None) -> bytes:
    """Changelog key of an entity; schemas refuse U+0000, so the parts cannot run into each other."""
    key = f"{subject}\0{FAMILY_LETTERS[family]}\0{entity}"
    return (key if register is None else f"{key}\0{register}").encode()


def register_of(event: Event, type_name: str) -> str | None:
    """Which register of its entity a plans event is (DESIGN §8 rule 3); None for the other families."""
    if type_name == "plan.ended":
        return "ended"
    if type_name in ("goal.set", "plan.assigned"):
        return str(event.data.effective_from.isoformat())
    if type_name == "profile.updated":
        since = event.data.effective_from
        return event.time[:10] if since is None else str(since.isoformat())
    return None


class EntityKey(NamedTuple):
    subject: str
    family: str
    entity: str
    register: str | None


def split_key(key: bytes) -> EntityKey:
    """The parts of a changelog key."""
    subject, letter, entity, *register = key.decode().split("\0")
    return EntityKey(subject, FAMILY_OF_LETTER[letter], entity, register[0] if register else None)


_places: dict[tuple[str, str | None], bytes] = {}


def pack_place(source: str, timezone: str | None) -> bytes:
    """Source and zone, length first; remembered, because a few hundred pairs serve millions of events."""
    place = _places.get((source, timezone))
    if place is None:
        s, z = source.encode(), (timezone or "").encode()
        place = len(s).to_bytes(2, "big") + s + bytes([len(z)]) + z
        if len(_places) < 65_536:
            _places[source, timezone] = place
    return place


def pack_contribution(values: Values, tail: Any = None) -> bytes:
    """Lanes and tail. A missing value adds 0 and counts 0 times."""
    packed = LANES[len(values)].pack(*[v or 0 for v in values], *[v is not None for v in values], 1)
    return packed if tail is None else packed + msgspec.msgpack.encode(tail)


def lanes_of(winner: bytes, n: int) -> int:
    """The contribution of a packed winner of `n` values, as one integer."""
    at = contribution_at(winner)
    return int.from_bytes(winner[at : at + LANES[n].size], "little")


def pack_winner(
    revision: int,
    deleted: bool,
    digest: bytes,
    ms: int,
    offset_min: int | None,
    code: int,
    source: str,
    timezone: str | None,
    contribution: bytes,
) -> bytes:
    """One winner as it is kept and logged."""
    offset = NO_OFFSET if offset_min is None else offset_min
    return HEADER.pack(revision, deleted, digest, ms, offset, code) + pack_place(source, timezone) + contribution


def contribution_at(winner: bytes) -> int:
    """Where a packed winner's contribution begins."""
    zone_at = HEADER_BYTES + 2 + int.from_bytes(winner[HEADER_BYTES : HEADER_BYTES + 2], "big")
    return zone_at + 1 + winner[zone_at]


def unpack_winner(packed: bytes) -> Winner:
    """The inverse of pack_winner. Raises struct.error or KeyError for bytes that no worker of this version wrote."""
    revision, deleted, digest, ms, offset, code = HEADER.unpack_from(packed)
    at = contribution_at(packed)
    zone_at = HEADER_BYTES + 2 + int.from_bytes(packed[HEADER_BYTES : HEADER_BYTES + 2], "big")
    source, timezone = packed[HEADER_BYTES + 2 : zone_at].decode(), packed[zone_at + 1 : at].decode() or None
    kind = KIND_OF_CODE[code]
    n = len(kind.values)
    numbers = LANES[n].unpack_from(packed, at)
    values = tuple(v if there else None for v, there in zip(numbers[:n], numbers[n:-1], strict=True))
    at += LANES[n].size
    tail = msgspec.msgpack.decode(packed[at:]) if at < len(packed) else None
    offset_min = None if offset == NO_OFFSET else offset
    return Winner(revision, bool(deleted), digest, ms, offset_min, kind, source, timezone, values, tail)
