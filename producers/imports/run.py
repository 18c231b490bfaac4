"""One import: files in, records for Kafka out, everything counted.

read = used + skipped + bad, in the format's own rows (lines of a table, elements of XML, messages of FIT).
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from producers.imports import apple_health, fit, myfitnesspal, strong
from producers.imports.files import Input, Pick, by_ending, inputs
from producers.imports.finish import entity_of, finish
from producers.imports.outcome import Bad, Draft, ImportProblem, Options, Outcome, Skipped, Warned
from producers.publish import Record
from schemas.instants import zone

_BUFFER = 1 << 16


class Read(Protocol):
    """A format's reader: bytes in, outcomes out."""

    def __call__(self, stream: BinaryIO, name: str, options: Options) -> Iterator[Outcome]: ...


class Format(NamedTuple):
    """How files of one kind are read."""

    read: Read
    members: Pick
    """Which members of a zip are meant."""
    what: str


FORMATS: dict[str, Format] = {
    "strong": Format(strong.read, by_ending(".csv"), "CSV file"),
    "myfitnesspal": Format(myfitnesspal.read, myfitnesspal.members, "Nutrition-Summary CSV file"),
    "fit": Format(fit.read, by_ending(".fit"), "FIT file"),
    "apple-health": Format(apple_health.read, apple_health.members, "export.xml"),
}


@dataclass(slots=True)
class Tally:
    """What became of the rows so far."""

    used: int = 0
    """Rows that events were made of."""
    skipped: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    warnings: int = 0
    made: Counter[str] = field(default_factory=Counter)
    """Type → events."""

    @property
    def read(self) -> int:
        return self.used + self.skipped.total() + self.bad


def find(form: str, paths: Sequence[Path]) -> list[Input]:
    """All that is to be read. Raises ImportProblem for the first that is missing or holds nothing of the kind."""
    _, members, what = FORMATS[form]
    return [found for path in paths for found in inputs(path, members, what)]


def records(
    form: str,
    found: Sequence[Input],
    options: Options,
    tally: Tally,
    *,
    now_ms: int,
    tell: Callable[[str], None],
    on_bytes: Callable[[int], None] = lambda done: None,
) -> Iterator[Record]:
    """The events of all files, one after the other, as Kafka takes them.

    `now_ms`: the clock that times are judged by. `tell` gets a line for each bad row and each warning, with its file.
    `on_bytes` gets the number of bytes read so far. Raises ImportProblem where the only file cannot be read at all.
    One of several, or the rest of one that was read in part, is one bad row.
    """
    if not 1 <= len(options.subject) <= 200 or "\0" in options.subject:
        raise ImportProblem(f"Expected a subject of 1 to 200 characters, got {options.subject[:40]!r}")
    if options.timezone is not None:
        try:
            zone(options.timezone)
        except ValueError as why:
            raise ImportProblem(str(why)) from None
    judge = _Judge(form, options, tally, now_ms, tell)
    before = 0
    for one in found:
        try:
            with one.open() as raw:
                stream = io.BufferedReader(_Counted(raw, on_bytes, before), _BUFFER)
                for outcome in FORMATS[form].read(stream, one.name, options):
                    yield from judge.outcome(one, outcome)
        except ImportProblem as why:
            if len(found) == 1 and not tally.read:
                raise  # nothing was sent yet
            tally.bad += 1
            tell(f"{why}: bad, this file or the rest of it")
        before += one.size


@dataclass(slots=True)
class _Judge:
    """Turns outcomes into records, and counts."""

    form: str
    options: Options
    tally: Tally
    now_ms: int
    tell: Callable[[str], None]
    seen: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    """Hash of an entity → revision and hash of the event that was made of it last."""

    def outcome(self, one: Input, outcome: Outcome) -> Iterator[Record]:
        match outcome:
            case Skipped(reason, rows):
                self.tally.skipped[reason] += rows
            case Bad(place, reason, rows):
                self.tally.bad += rows
                self.tell(f"{one.name}: {place}: bad: {reason}")
            case Warned(place, text):
                self.tally.warnings += 1
                self.tell(f"{one.name}: {place}: warning: {text}")
            case Draft():
                yield from self._draft(one, outcome)

    def _draft(self, one: Input, draft: Draft) -> Iterator[Record]:
        options = self.options
        revision = options.revision or draft.revision or one.changed_min
        for part in finish(draft, form=self.form, subject=options.subject, revision=revision, now_ms=self.now_ms):
            if not isinstance(part, Record):
                yield from self.outcome(one, part)
            elif not draft.gathered and self._repeated(draft, revision, part.value):
                self.tally.skipped["repeated rows"] += draft.rows
            else:
                if not draft.gathered:
                    yield from self._contradicted(one, draft, revision)
                    self.seen[_entity(self.form, draft)] = revision, _digest(part.value)
                self.tally.used += draft.rows
                self.tally.made[draft.type] += 1
                yield part

    def _repeated(self, draft: Draft, revision: int, value: bytes) -> bool:
        return self.seen.get(_entity(self.form, draft)) == (revision, _digest(value))

    def _contradicted(self, one: Input, draft: Draft, revision: int) -> Iterator[Record]:
        """A warning where an earlier row says something else about the same thing in the same revision."""
        if self.seen.get(_entity(self.form, draft), (0, b""))[0] == revision:
            text = f"contradicts an earlier row about {entity_of(self.form, draft)}: only one of them can count"
            yield from self.outcome(one, Warned(draft.place, text))


def _entity(form: str, draft: Draft) -> bytes:
    return _digest(entity_of(form, draft).encode(errors="replace"))


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=12).digest()


class _Counted(io.RawIOBase):
    """A stream that tells how much of it was read."""

    def __init__(self, stream: BinaryIO, tell: Callable[[int], None], before: int) -> None:
        self._stream, self._tell, self._done = stream, tell, before

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._done += len(data)
        self._tell(self._done)
        return len(data)
