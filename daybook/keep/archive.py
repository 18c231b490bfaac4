"""The folder of the archive: a Parquet file and a manifest each, by kind of data.

FOLDER/raw/raw-2026-08-23-1.parquet   what left, as ClickHouse wrote it
FOLDER/raw/raw-2026-08-23-1.json      its manifest, written last: without one nothing is listed

A file is whole and on the disk before its manifest is. What a crash left behind has no manifest, and is cleared away by
whoever writes next.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from daybook.errors import Problem

_READ = 1 << 20
_PART = ".part"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of the archive holds."""

    name: str
    dataset: str
    """raw, views, rejected, replayed, daily."""
    table: str
    """Of ClickHouse."""
    day: str
    """Day of receipt (UTC); of daily rows the day on which they left."""
    rows: int
    content: str
    """Sum of a hash of each row, as ClickHouse computes it over what stood in the table; in decimal."""
    columns: list[str]
    bytes: int
    sha256: str
    """Of the file."""
    written_at: str
    """UTC, ISO 8601."""


class Archive:
    """One folder; made when something is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> list[Manifest]:
        """What is there, by kind and day. Raises Problem for a manifest that cannot be read."""
        found = []
        for path in sorted(self.folder.glob("*/*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Manifest))
            except (msgspec.MsgspecError, OSError) as why:
                raise Problem(f"{path}: {why}") from why
        return sorted(found, key=lambda m: (m.dataset, m.day, _number(m.name)))

    def find(self, name: str) -> Manifest:
        """One of them. Raises Problem if there is none of that name."""
        for manifest in self.list():
            if manifest.name == name:
                return manifest
        raise Problem(f"the archive {self.folder} has no {name}: daybook archive list names what it has")

    def path(self, manifest: Manifest) -> Path:
        """Its file."""
        return self.folder / manifest.dataset / f"{manifest.name}.parquet"

    def trouble(self, manifest: Manifest) -> str | None:
        """What is wrong with a file, by its bytes and their SHA-256; None if nothing is."""
        path = self.path(manifest)
        try:
            size, digest = _read(path)
        except OSError as why:
            return f"{path}: {why.strerror or why}"
        if size != manifest.bytes:
            return f"{path}: {size:,} bytes, and the manifest says {manifest.bytes:,}"
        return None if digest == manifest.sha256 else f"{path}: its SHA-256 is not the manifest's"

    def remove(self, manifest: Manifest) -> None:
        """Take it off the list, then off the disk."""
        path = self.path(manifest)
        path.with_suffix(".json").unlink()
        sync(path.parent)
        path.unlink()
        sync(path.parent)

    def next_name(self, dataset: str, day: str) -> str:
        """A name that no file has."""
        taken = {_number(m.name) for m in self.list() if (m.dataset, m.day) == (dataset, day)}
        return f"{dataset}-{day}-{max(taken, default=0) + 1}"

    def clear(self) -> None:
        """Remove what has no manifest: a crash left it."""
        for path in self.folder.glob(f"*/*{_PART}"):
            path.unlink()
        for path in self.folder.glob("*/*.parquet"):
            if not path.with_suffix(".json").exists():
                path.unlink()

    def part(self, dataset: str, name: str, chunks: Iterable[bytes]) -> tuple[Path, int, str]:
        """Write a file that is not listed yet, down to the disk: its path, its bytes, their SHA-256."""
        path = self.folder / dataset / f"{name}.parquet{_PART}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return (path, *_read(path))

    def publish(self, part: Path, manifest: Manifest) -> None:
        """List it: the file first, then its manifest, each down to the disk."""
        path = self.path(manifest)
        part.rename(path)
        sync(path.parent)
        draft = path.with_suffix(f".json{_PART}")
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path.with_suffix(".json"))
        sync(path.parent)
        sync(self.folder)


def chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """All of a stream, some at a time."""
    while chunk := read(_READ):
        yield chunk


def sync(folder: Path) -> None:
    """Have the disk know the names in a folder."""
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)


def _read(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        for chunk in chunks(file.read):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])
