"""Fields that are implausible without being impossible: they count as missing, with a warning (DESIGN §6).

The limits are the `plausible_max` that the models declare.
"""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel

from schemas.envelope import type_of
from schemas.families import MODEL_OF


def _limits(model: type[BaseModel]) -> dict[str, float]:
    found = {}
    for name, field in model.model_fields.items():
        for tp in (field.annotation, *typing.get_args(field.annotation)):
            for meta in (*field.metadata, *typing.get_args(tp)):
                extra = getattr(meta, "json_schema_extra", None)
                if isinstance(extra, dict) and "plausible_max" in extra:
                    found[name] = extra["plausible_max"]
        extra = field.json_schema_extra
        if isinstance(extra, dict) and isinstance(limit := extra.get("plausible_max"), int | float):
            found[name] = limit
    return found


def _data_model(model: type[BaseModel]) -> type[BaseModel]:
    data = model.model_fields["data"].annotation
    assert isinstance(data, type)
    assert issubclass(data, BaseModel)
    return data


def _parts(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Lists of models inside a data model: field → model of its items."""
    found = {}
    for name, field in model.model_fields.items():
        for arg in typing.get_args(field.annotation):
            if isinstance(arg, type) and issubclass(arg, BaseModel):
                found[name] = arg
    return found


LIMITS: dict[str, dict[str, float]] = {}
"""`type` → field (items' fields as items[].field) → largest plausible value, in the field's own unit."""
for _model in MODEL_OF.values():
    _data = _data_model(_model)
    _found = _limits(_data)
    for _list, _part in _parts(_data).items():
        _found |= {f"{_list}[].{name}": limit for name, limit in _limits(_part).items()}
    LIMITS[type_of(_model)] = _found


def implausible(type_name: str, data: Any) -> list[str]:
    """JSON paths, below data, of the values that count as missing.

    >>> from types import SimpleNamespace
    >>> implausible("water.logged", SimpleNamespace(ml=50_000))
    ['$.data.ml']
    """
    found = []
    for name, limit in LIMITS[type_name].items():
        listed, _, field = name.partition("[].")
        if field:
            for i, item in enumerate(getattr(data, listed)):
                value = getattr(item, field)
                if value is not None and value > limit:
                    found.append(f"$.data.{listed}[{i}].{field}")
        else:
            value = getattr(data, name)
            if value is not None and value > limit:
                found.append(f"$.data.{name}")
    return found
