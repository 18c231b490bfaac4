"""The compiled parts of the streams, where they are: a machine without a C compiler has none, and DAYBOOK_NATIVE=0 in
the environment leaves them out. Each has its definition in Python, to which tests hold it, at about half the speed.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, NamedTuple

from msgspec import inspect

from schemas.envelope import dataschema_of
from schemas.families import MODEL_OF
from schemas.structs import STRUCT_OF


def compiled(module: str) -> Any:
    """A compiled module by its full name; None where Python does all."""
    if os.environ.get("DAYBOOK_NATIVE") == "0":
        return None
    try:
        return import_module(module)
    except ImportError:
        return None


class EventPlan(NamedTuple):
    """An event type as its Struct declares it, for a reader of its envelope (streams/envelope.pxi)."""

    data: inspect.StructType
    texts: dict[str, tuple[int, int]]
    """Attribute → shortest and longest of its text, in characters."""
    dataschema: str
    """What events of this version may say there."""


def event_plan(type_name: str, envelope: tuple[str, ...]) -> EventPlan | None:
    """The plan of an event type; None where it has an attribute that readers of this envelope do not know yet."""
    struct = inspect.type_info(STRUCT_OF[type_name])
    assert isinstance(struct, inspect.StructType)
    types = {field.name: field.type for field in struct.fields}
    if {*types, "type"} != set(envelope):
        return None
    data = types.pop("data")
    assert isinstance(data, inspect.StructType)
    texts = {name: bounds for name, tp in types.items() if (bounds := text_bounds(tp)) is not None}
    current = dataschema_of(MODEL_OF[type_name])
    texts["dataschema"] = len(current), len(current)
    return EventPlan(data, texts, current)


def text_bounds(tp: inspect.Type) -> tuple[int, int] | None:
    """Shortest and longest of a text, in characters; None for what is no text or has no end."""
    if isinstance(tp, inspect.UnionType):
        tp = tp.types[0]
    if isinstance(tp, inspect.StrType) and tp.max_length is not None:
        return tp.min_length or 0, tp.max_length
    return None
