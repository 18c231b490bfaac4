"""The kinds of fields that events are made of: text, local dates, instants, measured quantities.

A measured quantity has three bounds. Outside [minimum, maximum] the event is refused: the sender is broken. Inside,
but above `plausible_max`, the single field counts as missing with a warning and the rest of the event counts: a
workout of 57 hours is a forgotten stop button, not a lie about its sets (DESIGN §6).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from schemas.instants import Instant, parse_day, parse_instant, zone


class Model(BaseModel):
    """Base of everything that clients send: strict types, unknown attributes ignored, no NaN or infinity."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not allowed in text")
    return value


def _instant(value: str) -> str:
    parse_instant(value)
    return value


def _day(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError("Expected a date as YYYY-MM-DD")
    return parse_day(value)


def _zone(value: str) -> str:
    zone(value)
    return value


Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(_no_nul)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_no_nul)]
Timestamp = Annotated[str, StringConstraints(max_length=40), AfterValidator(_instant)]
LocalDay = Annotated[date, BeforeValidator(_day)]
Timezone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_zone)]


def measured(
    description: str, unit: str, maximum: float, *, minimum: float = 0, plausible_max: float | None = None
) -> Any:
    """Metadata of a measured quantity: refused outside [minimum, maximum], counted as missing above plausible_max."""
    extra: dict[str, Any] = {"unit": unit}
    if plausible_max is not None:
        extra["plausible_max"] = plausible_max
    return Field(ge=minimum, le=maximum, description=f"{description} [{unit}]", json_schema_extra=extra)


__all__ = ["Instant", "LocalDay", "Model", "Name", "Text", "Timestamp", "Timezone", "measured"]
