"""The archive's folder: wherever writing stops, what is listed is whole, and what is not listed is cleared away."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from daybook.errors import Problem
from daybook.keep import archive as module
from daybook.keep.archive import Archive, Manifest

CONTENT = b"PAR1" * 1000


def write(archive: Archive, day: str = "2026-08-23", content: bytes = CONTENT) -> Manifest:
    name = archive.next_name("raw", day)
    part, size, digest = archive.part("raw", name, [content[:7], content[7:]])
    assert digest == hashlib.sha256(content).hexdigest()
    manifest = Manifest(name, "raw", "events", day, 3, "17", ["topic"], size, digest, "2026-11-22T00:00:00+00:00")
    archive.publish(part, manifest)
    return manifest


class Cut(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", range(12))
def test_a_file_is_listed_whole_or_not_at_all(step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, left = Archive(tmp_path / "archive"), [step]
    first = write(archive)

    def cutting(real: Any) -> Any:
        def step_by_step(*arguments: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Cut
            left[0] -= 1
            return real(*arguments, **named)

        return step_by_step

    with monkeypatch.context() as patched:
        for what in ("fsync",):
            patched.setattr(module.os, what, cutting(getattr(module.os, what)))
        patched.setattr(Path, "rename", cutting(Path.rename))
        patched.setattr(Path, "open", cutting(Path.open))
        cut = False
        try:
            write(archive)
        except Cut:
            cut = True
    listed = archive.list()
    assert listed[0] == first
    assert [archive.trouble(manifest) for manifest in listed] == [None] * len(listed)
    assert len(listed) == 2 or cut
    archive.clear()
    assert len(list(archive.folder.glob("*/*.parquet"))) == len(archive.list()) == len(listed)
    assert list(archive.folder.glob("*/*.part")) == []
    write(archive)
    assert len({manifest.name for manifest in archive.list()}) == len(listed) + 1


def test_files_are_listed_by_kind_and_day_and_number(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    assert archive.list() == []
    for day in ("2026-08-24", *["2026-08-23"] * 11):
        write(archive, day)
    assert [m.name for m in archive.list()][-3:] == ["raw-2026-08-23-10", "raw-2026-08-23-11", "raw-2026-08-24-1"]
    with pytest.raises(Problem, match="has no raw-1"):
        archive.find("raw-1")


def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    manifest = write(archive)
    path = archive.path(manifest).with_suffix(".json")
    path.write_text("{")
    with pytest.raises(Problem, match=r"raw-2026-08-23-1\.json"):
        archive.list()
