"""What may become of the rows of a file, and what a reader is told by its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class ImportProblem(Exception):
    """The whole import cannot be done; the text names the file and says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the file itself does not say. Only the formats that need an option look at it."""

    subject: str
    timezone: str | None = None
    """IANA zone. Of local times; each format says what it does with it where times have an offset."""
    unit: str | None = None
    """kg or lb: unit of loads where the file names none."""
    revision: int | None = None
    """Of all events; None takes what the format has (see finish.py)."""
    warm_ups: bool = False
    """Whether warm-up sets count."""
    person: int | None = None
    """Whose weights, where a scale's file holds several people."""

    def local_zone(self, name: str) -> str:
        """Where local times are. Raises ImportProblem, which names the file, if nobody said."""
        if self.timezone is None:
            raise ImportProblem(f"{name}: its times are local: say where with --timezone, such as Europe/Berlin")
        return self.timezone


class Draft(NamedTuple):
    """An event before it has an id: what the rows say, and where they stand."""

    place: str
    """Of its first row, such as `line 12`."""
    type: str
    time: str
    """RFC 3339 with an offset, or Z."""
    source: str
    key: tuple[str, ...]
    """What makes it this entity and no other, however often it is exported."""
    data: dict[str, Any]
    rows: int = 1
    """How many rows it was made of."""
    revision: int | None = None
    """Where the rows say it themselves; None takes the file's."""
    gathered: bool = False
    """Whether all rows about this entity are in it, so that no other draft of the file can be about it."""


class Skipped(NamedTuple):
    """Rows that are no events, and need not be."""

    reason: str
    rows: int = 1


class Bad(NamedTuple):
    """A row that cannot be read; the others can."""

    place: str
    reason: str
    rows: int = 1


class Warned(NamedTuple):
    """Something that was not taken as it stands; its row counts."""

    place: str
    text: str


Outcome = Draft | Skipped | Bad | Warned
