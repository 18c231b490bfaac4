"""How the native reader is told what a meal looks like: flat tables, derived from the same Structs as the decoder's.

Nobody writes the fields twice. What this module has no word for (patterns, dates, nested unions) raises `NoPlan`, and
the events of that type are read in Python.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

TEXT, FLOAT, BOOL, LIST, OBJECT = range(1, 6)
NEVER, IF_NULL, IF_FALSE, IF_TRUE, IF_EMPTY = range(5)
"""When a value is left out of the canonical form: when msgspec's `omit_defaults` leaves it out. That compares by
identity, so a number that is written out stays, also where it equals its default."""
NO_LANE, PORTION, MEAL_TYPE, FROM_PLAN, PLANNED_ITEM = range(-1, -6, -1)
"""What becomes of a value beside the canonical form; from 0 on it is a sum of the contribution."""
MAX_TAIL_TEXT = 200
"""Longest text, in characters, that the reader copies into a winner's tail."""
MAX_FIELDS = 15
"""What a one-byte msgpack map header can count."""


class NoPlan(TypeError):
    """A type that the native reader has no word for."""


class Node(NamedTuple):
    """What a value must be."""

    kind: int
    nullable: bool = False
    least: float = 0.0
    most: float = 0.0
    """Bounds, inclusive: of a number, of a text's length in characters, of a list's length."""
    child: int = 0
    """LIST: the node of its items. OBJECT: its first field."""
    fields: int = 0
    """OBJECT: how many fields."""
    lane: int = NO_LANE
    """Which sum of the contribution it goes to, or what else becomes of it."""


class FieldPlan(NamedTuple):
    """One field of an object."""

    name: bytes
    packed_name: bytes
    """The name in msgpack."""
    required: bool
    omit: int
    node: int


class Plan(NamedTuple):
    """One event type's data."""

    nodes: list[Node]
    fields: list[FieldPlan]
    """Of all objects, each object's side by side in their order of definition, which is the canonical order."""
    root: int


def plan_of(data: type[msgspec.Struct], lanes: dict[str, int]) -> Plan:
    """The plan of a data Struct; `lanes`: name of a field → its lane. Raises NoPlan."""
    nodes: list[Node] = []
    fields: list[FieldPlan] = []

    def add(tp: Any, lane: int, nullable: bool = False) -> int:
        match tp:
            case inspect.UnionType(types=types) if len(types) == 2 and isinstance(types[1], inspect.NoneType):
                return add(types[0], lane, True)
            case inspect.StrType(pattern=None):
                most = 2**31 if tp.max_length is None else tp.max_length
                if lane != NO_LANE and most > MAX_TAIL_TEXT:
                    raise NoPlan(f"{tp}: too long for a tail")
                node = Node(TEXT, nullable, tp.min_length or 0, most, lane=lane)
            case inspect.FloatType(gt=None, lt=None, multiple_of=None) if tp.ge is not None and tp.le is not None:
                if tp.ge < 0:
                    raise NoPlan(f"{tp}: negative numbers")
                node = Node(FLOAT, nullable, tp.ge, tp.le, lane=lane)
            case inspect.BoolType():
                node = Node(BOOL, nullable, lane=lane)
            case inspect.ListType():
                most = 2**31 if tp.max_length is None else tp.max_length
                node = Node(LIST, nullable, tp.min_length or 0, most, child=add(tp.item_type, NO_LANE))
            case inspect.StructType(tag=None, array_like=False) if len(tp.fields) <= MAX_FIELDS:
                inner = [
                    FieldPlan(
                        field.encode_name.encode(),
                        msgspec.msgpack.encode(field.encode_name),
                        field.required,
                        _omit(field),
                        add(field.type, lanes.get(field.name, NO_LANE)),
                    )
                    for field in tp.fields
                ]
                node = Node(OBJECT, nullable, child=len(fields), fields=len(inner))
                fields.extend(inner)
            case _:
                raise NoPlan(f"{tp}")
        nodes.append(node)
        return len(nodes) - 1

    root = add(inspect.type_info(data), NO_LANE)
    return Plan(nodes, fields, root)


def _omit(field: inspect.Field) -> int:
    if field.required:
        return NEVER
    if field.default_factory is list:
        return IF_EMPTY
    match field.default:
        case None:
            return IF_NULL
        case False:
            return IF_FALSE
        case True:
            return IF_TRUE
        case float():
            return NEVER
    raise NoPlan(f"{field.name} with the default {field.default!r}")
