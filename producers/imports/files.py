"""What is read: a file, or the members of a zip that a format looks for, with the time of their last change."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from producers.imports.outcome import ImportProblem

Pick = Callable[[list[zipfile.ZipInfo]], list[zipfile.ZipInfo]]
"""Which members of a zip are meant."""
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to read."""

    name: str
    """As messages name it: the file, and behind a colon its member."""
    path: Path
    member: str | None
    size: int
    """Bytes to read, unpacked."""
    changed_min: int
    """Last change, in minutes since 1970; of a member as the zip has it, so that copying the zip changes nothing."""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes from the start. Raises ImportProblem where they cannot be read."""
        try:
            if self.member is None:
                with self.path.open("rb") as file:
                    yield file
            else:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as inside:
                    yield cast(BinaryIO, inside)
        except OSError as why:
            raise ImportProblem(f"{self.name}: {why.strerror or why}") from why
        except (zipfile.BadZipFile, RuntimeError, EOFError, NotImplementedError) as why:
            raise ImportProblem(f"{self.name}: {why}") from why


def inputs(path: Path, wanted: Pick, what: str) -> list[Input]:
    """The file itself, or of a zip what `wanted` picks from its members. Raises ImportProblem if there is nothing.

    `what`: what is looked for, as the message says it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        stat = path.stat()
        if head != _ZIP:
            return [Input(path.name, path, None, stat.st_size, int(stat.st_mtime // 60))]
        with zipfile.ZipFile(path) as archive:
            members = wanted([member for member in archive.infolist() if not member.is_dir()])
    except OSError as why:
        raise ImportProblem(f"{path}: {why.strerror or why}") from why
    except zipfile.BadZipFile as why:
        raise ImportProblem(f"{path}: {why}") from why
    if not members:
        raise ImportProblem(f"{path}: holds no {what}")
    return [Input(f"{path.name}:{m.filename}", path, m.filename, m.file_size, _changed(m)) for m in members]


def _changed(member: zipfile.ZipInfo) -> int:
    """A zip writes local time and no zone: taken as UTC, so that it is the same on every machine."""
    try:
        return max(1, int(datetime(*member.date_time, tzinfo=UTC).timestamp() // 60))
    except ValueError:
        return 1


def by_ending(*endings: str) -> Pick:
    """All members whose names end so, in the order of their names; what macOS puts beside them is left out."""

    def pick(members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
        found = [m for m in members if m.filename.lower().endswith(endings) and "__MACOSX" not in m.filename]
        return sorted(found, key=lambda m: m.filename)

    return pick
