"""The CloudEvents 1.0 envelope that every event shares (structured JSON; cloudevents.io spec v1.0.2)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
    dataschema: Text | None = Field(default=None, description="Version of the data's schema; absent: the current one")

    @model_validator(mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        if (path := nul_path(value)) is not None:
            raise ValueError(f"U+0000 is not allowed in text (at {path})")
        return value


class Nothing(Model):
    """The data of a delete: none."""
