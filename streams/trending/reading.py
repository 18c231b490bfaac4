"""Which path views take: the compiled one (native.pyx) for what most records are, Python for the rest and where it was
not built, or with DAYBOOK_NATIVE=0 in the environment. Both say the same (tests/unit/test_trending_native.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import inspect

from schemas.plausible import LIMITS
from streams.compiled import compiled, event_plan, text_bounds
from streams.trending.cells import Cell, Packer, Packing, Tally, User

if TYPE_CHECKING:
    from streams.trending.native import ViewReader

TEXT, NUMBER, TEXTS, REGION = range(1, 5)
PARTS = ("content", "creator", "hashtags", "sound", "region", "watched_s", "length_s")
"""Fields that stage one needs; the rest only belongs to the canonical form."""
MOST_TEXTS = 15
"""Of a list, that are read at first sight."""
_VIEW = "view.recorded"


class FieldPlan(NamedTuple):
    """One field of a view's data, as the compiled reader is told."""

    name: bytes
    packed_name: bytes
    """In msgpack."""
    kind: int
    required: bool
    nullable: bool
    least: float
    most: float
    """Bounds, inclusive: of a number, of a text's length in characters."""
    part: int
    """Which of PARTS it is; their number for none."""


class Path(NamedTuple):
    """What a partition's state counts with."""

    reader: ViewReader | None
    cell: Callable[[int, int], Any]
    user: Callable[[bytes], Any]
    tally: Callable[[int], Any]
    packer: Packing
    apply: Callable[[Any, list[Any]], int] | None


def python_path() -> Path:
    """Python all the way."""
    return Path(None, Cell, User, Tally, Packer(), None)


@functools.cache
def best_path() -> Path:
    """The compiled path where there is one."""
    native = compiled("streams.trending.native")
    if native is None:
        return python_path()
    reader = _reader(native.ENVELOPE, native.ViewReader)
    return Path(reader, native.Cell, native.User, native.Tally, native.Packer(), native.apply)


def _reader(envelope: tuple[str, ...], make: Callable[..., ViewReader]) -> ViewReader | None:
    event = event_plan(_VIEW, envelope)
    if event is None:
        return None
    plans = [_plan(field) for field in event.data.fields]
    if None in plans:
        return None
    return make(plans, event.texts, _VIEW, event.dataschema, LIMITS[_VIEW]["watched_s"])


def _plan(field: inspect.Field) -> FieldPlan | None:
    """The plan of a field; None for what there is no word for."""
    tp, nullable = field.type, False
    if isinstance(tp, inspect.UnionType) and len(tp.types) == 2 and isinstance(tp.types[1], inspect.NoneType):
        tp, nullable = tp.types[0], True
    kind, least, most = 0, 0.0, 0.0
    match tp:
        case inspect.StrType(pattern="^[A-Z]{2}$"):
            kind = REGION
        case inspect.StrType(pattern=None, max_length=int()):
            kind, (least, most) = TEXT, text_bounds(tp) or (0, 0)
        case inspect.FloatType(ge=float() | int(), le=float() | int(), gt=None, lt=None, multiple_of=None):
            kind, least, most = NUMBER, float(tp.ge or 0), float(tp.le or 0)
        case inspect.ListType(item_type=inspect.StrType(pattern=None, max_length=int()), min_length=None):
            kind, (least, most) = TEXTS, text_bounds(tp.item_type) or (0, 0)
    whole = field.required or (nullable and field.default is None) or (kind == TEXTS and field.default_factory is list)
    if not kind or not whole or least < 0 or (kind == TEXTS and nullable):
        return None
    if isinstance(tp, inspect.ListType) and tp.max_length is not None and tp.max_length < MOST_TEXTS:
        return None
    name = field.encode_name
    part = PARTS.index(name) if name in PARTS else len(PARTS)
    packed = msgspec.msgpack.encode(name)
    return FieldPlan(name.encode(), packed, kind, field.required, nullable, least, most, part)
