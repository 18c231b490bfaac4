"""Events of older versions, read as events of today: apps that nobody updates go on counting for years.

`dataschema` says the version, as urn:daybook:TYPE:VERSION; an event without it is of the current one. An older version
is a model of its own, named by the newer one (`older`), with the step to the next (`to_next`): meals.py shows one.
Bytes of an older version are checked by its own rules, then by those of every version on the way.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, cast

import msgspec

from schemas.envelope import Envelope, dataschema_of
from schemas.families import MODEL_OF
from schemas.structs import STRUCT_OF, struct_of

_URN = re.compile(r"urn:daybook:(.+):([1-9]\d{0,5})", re.ASCII)


class UnknownVersion(ValueError):
    """`dataschema` names a version that cannot be read here; the text says which can."""


class _Head(msgspec.Struct, gc=False):
    type: str
    dataschema: str


_head = msgspec.json.Decoder(_Head).decode


def versions_of(type_name: str) -> dict[int, type[Envelope]]:
    """Version → model of one event type, the current one first."""
    found: dict[int, type[Envelope]] = {}
    model: type[Envelope] | None = MODEL_OF[type_name]
    while model is not None:
        found[model.version] = model
        model = model.older
    return found


OLDER: dict[str, dict[int, type[Envelope]]] = {
    name: {version: model for version, model in versions_of(name).items() if model is not current}
    for name, current in MODEL_OF.items()
}
"""CloudEvents `type` → its older versions."""


@functools.cache
def _decoder(model: type[Envelope]) -> Callable[[bytes], Any]:
    return cast(Callable[[bytes], Any], msgspec.json.Decoder(struct_of(model)).decode)


def upcast(raw: bytes) -> msgspec.Struct | None:
    """An event of an older version, as an event of the current one; None if these bytes do not name another version.

    Only asked for what the current schema does not take, so events of today cost nothing. Raises UnknownVersion, or
    msgspec.ValidationError for what breaks the rules of the version that it names.
    """
    try:
        head = _head(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    model = MODEL_OF.get(head.type)
    if model is None or head.dataschema == dataschema_of(model):
        return None
    older = OLDER[head.type]
    named = _URN.fullmatch(head.dataschema)
    version = int(named[2]) if named and named[1] == head.type else 0
    if version not in older:
        known = ", ".join(str(number) for number in sorted({*older, model.version}))
        what = f"version {version} of {head.type}" if version else f"{head.dataschema[:80]!r}"
        raise UnknownVersion(f"{what} is not known here; known: {dataschema_of(model, 'VERSION')} with {known}")
    event = _decoder(older[version])(raw)
    while version < model.version:
        event = _next(event, older[version], head.type, version + 1)
        version += 1
    return cast(msgspec.Struct, event)


def _next(event: Any, model: type[Envelope], type_name: str, version: int) -> Any:
    """The event one version on, checked by that version's rules."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__ if name not in ("data", "dataschema")}
    data = model.to_next(msgspec.to_builtins(event.data))
    newer = OLDER[type_name].get(version)
    struct = STRUCT_OF[type_name] if newer is None else struct_of(newer)
    return msgspec.convert({**fields, "type": type_name, "data": data}, struct)
