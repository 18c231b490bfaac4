"""A month of real videos as views: the daily growth of their views (producers/data/youtube), one event for 10,000.

The file says how often a video had been seen by each day. What was added since the day before is spread over that day,
sampled with dice of its own for each video and day, so the same events come each time. The viewers are made up; titles,
channels and tags are not. Malformed rows are refused with a reason, and so is nothing else.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import NamedTuple

from producers.dice import between, dice

VIEWS_PER_EVENT = 10_000
VIEWERS = 20_000
MOST_TAGS = 5
DAY_MS = 86_400_000
_COLUMNS = 10
_VIDEO = re.compile(r"[\w-]{11}", re.ASCII)
_DATE = re.compile(r"(\d\d)\.(\d\d)", re.ASCII)


class Row(NamedTuple):
    """One video on one day."""

    video: str
    channel: str
    category: str
    tags: tuple[str, ...]
    views: int
    """Since it was put up."""
    day_ms: int


class Malformed(NamedTuple):
    """A row that is refused."""

    line: int
    reason: str


def rows() -> Iterator[Row | Malformed]:
    """The file, row by row."""
    packed = files("producers").joinpath("data", "youtube", "us_2017.csv.gz").read_bytes()
    lines = csv.reader(io.StringIO(gzip.decompress(packed).decode("utf-8"), newline=""))
    next(lines)
    for number, fields in enumerate(lines, 2):
        try:
            yield _row(fields)
        except ValueError as why:
            yield Malformed(number, str(why))


def _row(fields: list[str]) -> Row:
    if len(fields) != _COLUMNS:
        raise ValueError(f"Expected {_COLUMNS} fields, got {len(fields)}")
    video, _, channel, category, tags, views, *_, date = fields
    if not _VIDEO.fullmatch(video):
        raise ValueError(f"Expected a video id of eleven signs, got {video[:20]!r}")
    if not views.isascii() or not views.isdigit():
        raise ValueError(f"Expected a number of views, got {views[:20]!r}")
    if not (found := _DATE.fullmatch(date)):
        raise ValueError(f"Expected a date as DD.MM, got {date[:20]!r}")
    day = datetime(2017, int(found[2]), int(found[1]), tzinfo=UTC)
    named = tuple(dict.fromkeys(tag.strip().lower() for tag in tags.split("|")))
    kept = tuple(tag for tag in named if tag and tag != "[none]" and len(tag) <= 100)
    return Row(video, channel, category, kept[:MOST_TAGS], int(views), int(day.timestamp() * 1000))


def events(seed: int = 1, rows_: Iterator[Row | Malformed] | None = None) -> Iterator[bytes]:
    """The sampled views, in the order of their times; malformed rows are left out."""
    days: dict[int, list[tuple[Row, int]]] = {}
    last: dict[str, int] = {}
    for row in sorted((r for r in rows_ or rows() if isinstance(r, Row)), key=lambda row: row.day_ms):
        if (before := last.get(row.video)) is not None:
            days.setdefault(row.day_ms, []).append((row, max(0, row.views - before)))
        last[row.video] = max(row.views, before or 0)
    for day_ms in sorted(days):
        seen = [event for row, added in days[day_ms] for event in _sampled(row, added, seed)]
        for _, event in sorted(seen):
            yield event


def _sampled(row: Row, added: int, seed: int) -> Iterator[tuple[int, bytes]]:
    rng = dice(seed, "youtube", row.video, row.day_ms)
    whole, rest = divmod(added, VIEWS_PER_EVENT)
    data = {
        **{"content": row.video, "creator": row.channel, "hashtags": list(row.tags), "category": row.category},
        **{"region": "US", "watched_s": 60, "length_s": 120},
    }
    for number in range(whole + (rng.random() * VIEWS_PER_EVENT < rest)):
        ms = row.day_ms + int(rng.random() * DAY_MS)
        at = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = {
            **{"specversion": "1.0", "id": f"yt-{row.video}-{row.day_ms // DAY_MS}-{number}", "source": "youtube/2017"},
            **{
                "type": "view.recorded",
                "subject": f"viewer{between(rng, 0, VIEWERS - 1):05}",
                "time": at,
                "data": data,
            },
        }
        yield ms, json.dumps(event, ensure_ascii=False).encode()
