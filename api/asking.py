"""What a reader asks for: days, pages, fields, and whether it has the answer already. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from api.problems import Problem
from schemas.affinity import LIST_SIZE as MOST_RECOMMENDED
from schemas.instants import zone
from schemas.trending import ALL, KINDS, LIST_SIZE, WINDOWS
from sinks.days import FIRST, LAST

PAGE_DAYS = 31
"""Days of a page unless the reader says otherwise."""
MOST_DAYS = 100
"""Days of a page at most."""
SPAN_DAYS = 28
"""Days that are read where `from` is left out."""
_ONE = timedelta(days=1)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_REGION = re.compile(r"[A-Za-z]{2}", re.ASCII)


def day(text: str, name: str) -> date:
    """A local day. Raises Problem 400 as all here do."""
    try:
        if _DAY.fullmatch(text) and FIRST <= (found := date.fromisoformat(text)) <= LAST:
            return found
    except ValueError:
        pass
    raise Problem(400, f"{name} must be a day as YYYY-MM-DD from {FIRST} to {LAST}")


def number(text: str | None, name: str, *, default: int, most: int) -> int:
    """A whole number from 1 to `most`."""
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most:
        return int(text)
    raise Problem(400, f"{name} must be a whole number from 1 to {most}")


def today(now_ms: int, timezone: str | None, day_start: str | None) -> date:
    """The local day that it is for a user. `now_ms`: ms since 1970; `timezone`: IANA, default UTC; `day_start`: HH:MM.

    >>> today(1_772_330_400_000, "America/New_York", None), today(1_772_330_400_000, "Europe/Berlin", "04:00")
    (datetime.date(2026, 2, 28), datetime.date(2026, 2, 28))
    """
    try:
        there = UTC if timezone is None else zone(timezone)
    except ValueError:
        raise Problem(400, "timezone must be a name of the IANA database, such as Europe/Berlin") from None
    if day_start is not None and not _CLOCK.fullmatch(day_start):
        raise Problem(400, "day_start must be HH:MM")
    hours, minutes = (0, 0) if day_start is None else map(int, day_start.split(":"))
    local = datetime.fromtimestamp(now_ms / 1000, there).replace(tzinfo=None)
    return (local - timedelta(hours=hours, minutes=minutes)).date()


def chosen(query: Mapping[str, str], now_ms: int) -> date:
    """The day that a query names, else the one that it is for the user."""
    now = today(now_ms, query.get("timezone"), query.get("day_start"))
    return day(query["date"], "date") if "date" in query else now


class Page(NamedTuple):
    """The days to read, newest first, and where the next page begins; None after the last."""

    days: list[date]
    next: str | None


def page(query: Mapping[str, str], now_ms: int) -> Page:
    """The page of days that a query asks for: from and to (both included), limit, cursor."""
    last = day(query["to"], "to") if "to" in query else today(now_ms, query.get("timezone"), query.get("day_start"))
    first = day(query["from"], "from") if "from" in query else max(FIRST, last - (SPAN_DAYS - 1) * _ONE)
    if first > last:
        raise Problem(400, f"from ({first}) is after to ({last})")
    size = number(query.get("limit"), "limit", default=PAGE_DAYS, most=MOST_DAYS)
    at = _of_cursor(query["cursor"]) if "cursor" in query else last
    if not first <= at <= last:
        raise Problem(400, "this cursor belongs to another query")
    days = [at - n * _ONE for n in range(min(size, (at - first).days + 1))]
    left = days[-1] - _ONE
    return Page(days, cursor(left) if left >= first else None)


def cursor(at: date) -> str:
    """Where a page begins, in a form that nobody is tempted to make up."""
    return base64.urlsafe_b64encode(f"d1:{at}".encode()).rstrip(b"=").decode()


def _of_cursor(text: str) -> date:
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        found = ""
    if not found.startswith("d1:"):
        raise Problem(400, "this is no cursor of ours")
    return day(found.removeprefix("d1:"), "cursor")


def fields(text: str | None, known: Collection[str]) -> frozenset[str] | None:
    """The fields that are wanted; None: all."""
    if text is None:
        return None
    wanted = frozenset(name for each in text.split(",") if (name := each.strip()))
    if unknown := sorted(wanted - set(known)):
        raise Problem(400, f"there is no field {unknown[0][:100]}")
    return wanted


class List(NamedTuple):
    """Which trending list, and how much of it."""

    kind: str
    region: str
    window: str
    limit: int


def trending(kind: str, query: Mapping[str, str]) -> List:
    """The list that is asked for; 404 for a kind that there is not."""
    if kind not in KINDS:
        raise Problem(404, "there is nothing here")
    region, window = query.get("region", ALL), query.get("window", "24h")
    if region != ALL and not _REGION.fullmatch(region):
        raise Problem(400, f"region must be an ISO 3166-1 code of two letters, or {ALL}")
    if window not in WINDOWS:
        raise Problem(400, f"window must be one of {', '.join(WINDOWS)}")
    limit = number(query.get("limit"), "limit", default=LIST_SIZE, most=LIST_SIZE)
    return List(kind, region if region == ALL else region.upper(), window, limit)


class Recommended(NamedTuple):
    """Where somebody is of whom nothing is known, and how many places are wanted."""

    region: str | None
    limit: int


def recommended(query: Mapping[str, str]) -> Recommended:
    """What a query says of recommendations."""
    region = query.get("region")
    if region is not None and not _REGION.fullmatch(region):
        raise Problem(400, "region must be an ISO 3166-1 code of two letters")
    limit = number(query.get("limit"), "limit", default=MOST_RECOMMENDED, most=MOST_RECOMMENDED)
    return Recommended(region and region.upper(), limit)


def etag(body: bytes) -> str:
    """A strong entity tag (RFC 9110 §8.8.3)."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def has(if_none_match: str | None, tag: str) -> bool:
    """Whether the reader has this body already (RFC 9110 §13.1.2: weak comparison).

    >>> has('"a", W/"b"', '"b"'), has("*", '"b"'), has('"a"', '"b"'), has(None, '"b"')
    (True, True, False, False)
    """
    if if_none_match is None:
        return False
    said = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in said or tag in said
