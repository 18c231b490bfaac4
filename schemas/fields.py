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


def nul_path(value: Any) -> str | None:
    """Where in parsed JSON a text or a name holds U+0000, which PostgreSQL cannot store; None if nowhere."""
    stack: list[tuple[Any, str]] = [(value, "$")]
    while stack:
        value, path = stack.pop()
        if isinstance(value, str):
            if "\x00" in value:
                return path
        elif isinstance(value, dict):
            for key, item in value.items():
                if "\x00" in key:
                    return path
                stack.append((item, f"{path}.{key}"))
        elif isinstance(value, list):
            stack += [(item, f"{path}[{i}]") for i, item in enumerate(value)]
    return None


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


Text = Annotated[str, StringConstraints(max_length=200)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
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


__all__ = ["Instant", "LocalDay", "Model", "Name", "Text", "Timestamp", "Timezone", "measured", "nul_path"]
