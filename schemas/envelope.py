"""The CloudEvents 1.0 envelope that every event shares (structured JSON; cloudevents.io spec v1.0.2)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.fields import Model, Name, Text, Timestamp, Timezone, nul_path

Revision = Annotated[int, Field(ge=1, le=2_147_483_647)]


class Envelope(Model):
    """One event. Edits and deletes name the same `entity` with a higher `revision`; the highest wins."""

    specversion: Literal["1.0"] = Field(description="CloudEvents version")
    id: Name = Field(description="Identity of this event; resending keeps it")
    source: Name = Field(description="Who says so, as platform/version, such as ios/5.2.0")
    subject: Name = Field(description="User id; also the Kafka key")
    time: Timestamp = Field(
        description="RFC 3339 with offset: start of an activity or workout, waking of a sleep. A delete's says nothing"
    )
    entity: Name | None = Field(default=None, description="What the event is about; default: id")
    revision: Revision = Field(default=1, description="Revision of the entity, from 1")
    timezone: Timezone | None = Field(default=None, description="IANA zone the user was in; used where time ends in Z")
    sentat: Timestamp | None = Field(default=None, description="Device clock at sending, to see its skew")
    dataschema: Text | None = Field(
        default=None, description="Version of the data's schema: urn:daybook:TYPE:VERSION; absent: the current one"
    )

    version: ClassVar[int] = 1
    """Of the data's schema. A change of shape that old apps cannot follow makes a new one."""
    older: ClassVar[type[Envelope] | None] = None
    """The model of the version before, which apps out there still send."""

    @staticmethod
    def to_next(data: dict[str, Any]) -> dict[str, Any]:
        """The data of an event of this version, as the next version has it. Only older versions have it."""
        raise NotImplementedError

    @model_validator(mode="before")
    @classmethod
    def _upcast(cls, value: Any) -> Any:
        if cls.older is None or not isinstance(value, dict) or value.get("dataschema") not in _older_names(cls):
            return value
        old: Any = cls.older.model_validate(value)
        fields = {name: item for name, item in value.items() if name != "dataschema"}
        return fields | {"data": cls.older.to_next(old.data.model_dump(exclude_defaults=True))}

    @model_validator(mode="after")
    def _is_of_this_version(self) -> Self:
        if self.dataschema not in (None, dataschema_of(type(self))):
            raise ValueError(f"Expected {dataschema_of(type(self))} or an older version (at $.dataschema)")
        return self

    @model_validator(mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        if (path := nul_path(value)) is not None:
            raise ValueError(f"U+0000 is not allowed in text (at {path})")
        return value


def type_of(model: type[Envelope]) -> str:
    """The CloudEvents `type` that a model is for."""
    name: str = get_args(model.model_fields["type"].annotation)[0]
    return name


def dataschema_of(model: type[Envelope], version: int | str | None = None) -> str:
    """What `dataschema` says of events of this model, or of another version of its type."""
    return f"urn:daybook:{type_of(model)}:{model.version if version is None else version}"


def _older_names(model: type[Envelope]) -> set[str]:
    names: set[str] = set()
    while (older := model.older) is not None:
        names.add(dataschema_of(older))
        model = older
    return names


class Nothing(Model):
    """The data of a delete: none."""
