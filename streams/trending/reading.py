"""Which path views take: the compiled one (native.pyx) for what most records are, Python for the rest and where it was
not built, or with DAYBOOK_NATIVE=0 in the environment. Both say the same (tests/unit/test_trending_native.py).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import inspect

from schemas.envelope import dataschema_of
from schemas.families import MODEL_OF
from schemas.plausible import LIMITS
from schemas.structs import STRUCT_OF
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
    if os.environ.get("DAYBOOK_NATIVE") == "0":
        return python_path()
    try:
        from streams.trending import native
    except ImportError:
        return python_path()
    reader = _reader(native.ENVELOPE, native.ViewReader)
    return Path(reader, native.Cell, native.User, native.Tally, native.Packer(), native.apply)


def _reader(envelope: tuple[str, ...], make: Callable[..., ViewReader]) -> ViewReader | None:
    struct = inspect.type_info(STRUCT_OF[_VIEW])
    assert isinstance(struct, inspect.StructType)
    types = {field.name: field.type for field in struct.fields}
    if {*types, "type"} != set(envelope):
        return None  # an attribute that it does not know yet
    data = types.pop("data")
    assert isinstance(data, inspect.StructType)
    plans = [_plan(field) for field in data.fields]
    if None in plans:
        return None
    texts = {name: bounds for name, tp in types.items() if (bounds := _bounds(tp)) is not None}
    current = dataschema_of(MODEL_OF[_VIEW])
    texts["dataschema"] = len(current), len(current)
    return make(plans, texts, _VIEW, current, LIMITS[_VIEW]["watched_s"])


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
            kind, (least, most) = TEXT, _bounds(tp) or (0, 0)
        case inspect.FloatType(ge=float() | int(), le=float() | int(), gt=None, lt=None, multiple_of=None):
            kind, least, most = NUMBER, float(tp.ge or 0), float(tp.le or 0)
        case inspect.ListType(item_type=inspect.StrType(pattern=None, max_length=int()), min_length=None):
            kind, (least, most) = TEXTS, _bounds(tp.item_type) or (0, 0)
    whole = field.required or (nullable and field.default is None) or (kind == TEXTS and field.default_factory is list)
    if not kind or not whole or least < 0 or (kind == TEXTS and nullable):
        return None
    if isinstance(tp, inspect.ListType) and tp.max_length is not None and tp.max_length < MOST_TEXTS:
        return None
    name = field.encode_name
    part = PARTS.index(name) if name in PARTS else len(PARTS)
    packed = msgspec.msgpack.encode(name)
    return FieldPlan(name.encode(), packed, kind, field.required, nullable, least, most, part)


def _bounds(tp: inspect.Type) -> tuple[int, int] | None:
    """Shortest and longest of a text, in characters."""
    if isinstance(tp, inspect.UnionType):
        tp = tp.types[0]
    if isinstance(tp, inspect.StrType) and tp.max_length is not None:
        return tp.min_length or 0, tp.max_length
    return None
