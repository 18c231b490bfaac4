"""What the ledger's changelog holds: one record per entity, its winner, packed.

key    subject \\0 family letter \\0 entity            (plans: \\0 register, see `register_of`)
value  revision u32 · deleted u8 · digest 16 bytes · time ms i64 · offset i16 · kind u8 · source · zone · contribution

All numbers are big endian, so the first 21 bytes, compared as bytes, are rule 1's order: revision, then is-delete, then
the digest (the first 16 bytes of SHA-256 over the canonical content). The worker keeps winners as these same bytes.
A contribution is a mask of what is present, one u64 per value in base units, and for some kinds a msgpack tail.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

import msgspec

RANK_BYTES = 21
_HEADER = Struct(">IB16sqhB")
HEADER_BYTES = _HEADER.size
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
    Kind(1, "meal.logged", ("energy_cal", "protein_mg", "carbs_mg", "fat_mg", "fibre_mg")),
    Kind(2, "water.logged", ("water_ml",)),
    Kind(3, "workout.completed", ("duration_s", "calories_cal", "volume_g_reps"), tail=True),
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
"""cal: thousandths of a kcal. bp: hundredths of a percent. A workout's tail: exercise → best estimated 1RM in g."""

KIND_OF_TYPE = {kind.type: kind for kind in KINDS}
KIND_OF_CODE = {kind.code: kind for kind in KINDS}
_VALUES = {n: Struct(f">B{n}Q") for n in range(9)}

Values = tuple[int | None, ...]


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


def _place(source: str, timezone: str | None) -> bytes:
    """Source and zone, length first; remembered, because a few hundred pairs serve millions of events."""
    place = _places.get((source, timezone))
    if place is None:
        s, z = source.encode(), (timezone or "").encode()
        place = len(s).to_bytes(2, "big") + s + bytes([len(z)]) + z
        if len(_places) < 65_536:
            _places[source, timezone] = place
    return place


def pack_contribution(values: Values, tail: Any = None) -> bytes:
    """Mask, values and tail. Missing values are no values: the mask says which are there."""
    mask = 0
    for i, value in enumerate(values):
        if value is not None:
            mask |= 1 << i
    packed = _VALUES[len(values)].pack(mask, *[v or 0 for v in values])
    return packed if tail is None else packed + msgspec.msgpack.encode(tail)


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
    return _HEADER.pack(revision, deleted, digest, ms, offset, code) + _place(source, timezone) + contribution


def unpack_place(value: bytes) -> tuple[str, str | None, int]:
    """Source, zone, and where the contribution begins."""
    s = HEADER_BYTES + 2
    z = s + int.from_bytes(value[HEADER_BYTES:s], "big")
    end = z + 1 + value[z]
    return value[s:z].decode(), value[z + 1 : end].decode() or None, end


def unpack_winner(value: bytes) -> Winner:
    """The inverse of pack_winner. Raises struct.error or KeyError for bytes that no worker of this version wrote."""
    revision, deleted, digest, ms, offset, code = _HEADER.unpack_from(value)
    source, timezone, at = unpack_place(value)
    kind = KIND_OF_CODE[code]
    mask, *numbers = _VALUES[len(kind.values)].unpack_from(value, at)
    values = tuple(n if mask >> i & 1 else None for i, n in enumerate(numbers))
    at += 1 + 8 * len(numbers)
    tail = msgspec.msgpack.decode(value[at:]) if at < len(value) else None
    offset_min = None if offset == NO_OFFSET else offset
    return Winner(revision, bool(deleted), digest, ms, offset_min, kind, source, timezone, values, tail)
