"""msgspec Structs derived from the pydantic models, constraints included: the hot path decodes with these.

Nobody writes the fields twice. What msgspec cannot say in a type (U+0000, RFC 3339 with offset, zones that exist) is
checked by the codec; tests/unit/test_codec_agrees.py shows that both accept and refuse the same bytes.
"""

from __future__ import annotations

import functools
import types
import typing
from typing import Annotated, Any, Literal, Union

import annotated_types as at
import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, StringConstraints
from pydantic.fields import FieldInfo

from schemas.envelope import dataschema_of, type_of
from schemas.families import MODEL_OF

_META = {"ge": "ge", "gt": "gt", "le": "le", "lt": "lt", "min_length": "min_length", "max_length": "max_length"}


def _constraints(metadata: typing.Iterable[Any]) -> dict[str, Any]:
    """msgspec.Meta arguments that say the same as pydantic's metadata."""
    found: dict[str, Any] = {}
    for item in metadata:
        match item:
            case FieldInfo():
                found |= _constraints(item.metadata)
            case StringConstraints():
                for name in ("min_length", "max_length", "pattern"):
                    if (value := getattr(item, name)) is not None:
                        found[name] = value
            case at.Ge() | at.Gt() | at.Le() | at.Lt() | at.MinLen() | at.MaxLen():
                for name in _META:
                    if hasattr(item, name):
                        found[name] = getattr(item, name)
            case AfterValidator() | BeforeValidator():
                pass  # the codec's part
            case _ if hasattr(item, "pattern") and item.pattern is not None:
                found["pattern"] = item.pattern
            case _ if hasattr(item, "__dict__") and not vars(item):
                pass
            case _:
                raise TypeError(f"{item!r}: no msgspec form is known for this constraint")
    return found


def union_of(arms: typing.Iterable[Any]) -> Any:
    """The union of types that are only known at run time."""
    return Union.__getitem__(tuple(arms))


def _derive(tp: Any, metadata: tuple[Any, ...] = ()) -> Any:
    origin = typing.get_origin(tp)
    if origin is Annotated:
        base, *more = typing.get_args(tp)
        return _derive(base, (*more, *metadata))
    if origin in (Union, types.UnionType):
        arms = [a if a is type(None) else _derive(a, metadata) for a in typing.get_args(tp)]
        return union_of(arms)
    if isinstance(tp, type) and issubclass(tp, BaseModel):
        return struct_of(tp)
    meta = _constraints(metadata)
    if origin is list:
        tp = list[_derive(typing.get_args(tp)[0])]  # type: ignore[misc]
    return Annotated[tp, msgspec.Meta(**meta)] if meta else tp


@functools.cache
def struct_of(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The Struct that decodes the same JSON as `model`; an event's is tagged by its `type`."""
    is_event = "type" in model.model_fields and "specversion" in model.model_fields
    required: list[Any] = []
    optional: list[Any] = []
    for name, field in model.model_fields.items():
        if name == "type" and is_event:
            continue
        tp = _derive(field.annotation, tuple(field.metadata))
        if name == "dataschema" and is_event:  # told apart while it is decoded: events of today pay nothing for it
            tp = union_of([Literal.__getitem__(dataschema_of(model)), None])  # type: ignore[arg-type]
        if field.is_required():
            required.append((name, tp))
        elif isinstance(field.default, BaseModel):
            optional.append((name, tp, msgspec.field(default_factory=struct_of(type(field.default)))))
        elif isinstance(field.default, list):
            optional.append((name, tp, msgspec.field(default_factory=list)))
        else:
            optional.append((name, tp, field.default))
    tag: dict[str, Any] = {"tag_field": "type", "tag": type_of(model)} if is_event else {}  # type: ignore[arg-type]
    return msgspec.defstruct(
        model.__name__, [*required, *optional], omit_defaults=True, frozen=True, gc=False, module=__name__, **tag
    )


STRUCT_OF: dict[str, type[msgspec.Struct]] = {name: struct_of(model) for name, model in MODEL_OF.items()}
"""CloudEvents `type` → Struct."""

TYPE_OF: dict[type, str] = {struct: name for name, struct in STRUCT_OF.items()}
"""Struct → CloudEvents `type`."""
