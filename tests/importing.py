"""An import without Kafka: bytes in, events out, with what was counted and told."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producers.imports.outcome import Options
from producers.imports.run import Tally, find, records

SAMPLES = Path(__file__).parents[1] / "producers" / "imports" / "samples"
CHANGED_S = 1_772_800_000
"""When the file was changed last."""
NOW_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Imported:
    """What came of a file."""

    raw: list[bytes]
    tally: Tally
    told: list[str]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(event) for event in self.raw]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


def imported(form: str, *contents: bytes, name: str = "export", changed_s: int = CHANGED_S, **options: Any) -> Imported:
    """Import files with these bytes, in a folder of their own. Options are those of the command."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}{n or ''}" for n in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
            os.utime(path, (changed_s, changed_s))
        told: list[str] = []
        tally = Tally()
        chosen = Options("u_1", **options)
        made = list(records(form, find(form, paths), chosen, tally, now_ms=NOW_MS, tell=told.append))
    assert tally.read == tally.used + tally.skipped.total() + tally.bad
    assert all(record.key == b"u_1" for record in made)
    return Imported([record.value for record in made], tally, told)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()
