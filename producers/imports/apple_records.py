"""What Apple's elements have in common: when, where, who says so, how much; and the draft that comes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from producers.imports.apple_xml import Element
from producers.imports.localtime import at_offset, in_utc
from producers.imports.outcome import Draft
from producers.imports.quantities import measured
from schemas.instants import instant_parts, zone_offset_min

QUANTITY = "HKQuantityTypeIdentifier"
QUARTER_MS = 900_000
HOUR_MS = 3_600_000
_WRITTEN = re.compile(r"(\d{4}-\d\d-\d\d) (\d{1,2})(:\d\d:\d\d)(?:\s([AP])M)? ([+-]\d\d):?(\d\d)", re.ASCII)


class At(NamedTuple):
    """When, in ms since 1970, and the UTC offset of where, in minutes; None for Z."""

    ms: int
    offset_min: int | None


class Source(NamedTuple):
    """Who says so."""

    name: str
    """The app or device as its owner named it."""
    text: str
    """The same with its version, as events have it."""


class Span(NamedTuple):
    """From when to when."""

    begin: At
    end: At

    @property
    def ms(self) -> int:
        return self.end.ms - self.begin.ms


def begin_of(element: Element, zone: str | None) -> At:
    """When an element began. `zone`: the user's. Raises KeyError or ValueError where it does not say."""
    return _placed(element, "startDate", zone)


def span_of(element: Element, zone: str | None) -> Span:
    """From when to when. Raises ValueError where it ends before it begins."""
    span = Span(_placed(element, "startDate", zone), _placed(element, "endDate", zone))
    if span.ms < 0:
        raise ValueError(f"Expected an end after the start, got {element.attributes['endDate']}")
    return span


def _placed(element: Element, attribute: str, zone: str | None) -> At:
    """The record's own zone, else the user's, else the offset as written."""
    written = instant(element.attributes[attribute])
    if element.children:
        zone = metadata(element).get("HKTimeZone", zone)
    return written if zone is None else At(written.ms, _offset(zone, written.ms // QUARTER_MS))


@lru_cache(maxsize=65_536)
def _offset(zone_name: str, quarter: int) -> int:
    """Of a zone in a quarter of an hour; clocks change on quarters."""
    return zone_offset_min(zone_name, quarter * QUARTER_MS)


def instant(text: str) -> At:
    """A time with its offset, or with a 12-hour clock as some phones write it. Raises ValueError for anything else.

    >>> instant("2024-07-05 07:30:00 +0200") == instant("2024-07-05 7:30:00 AM +0200")
    True
    """
    if len(text) == 25 and text[10] == text[19] == " ":
        return At(*instant_parts(f"{text[:10]}T{text[11:19]}{text[20:23]}:{text[23:]}"))
    found = _WRITTEN.fullmatch(text.replace("\N{NARROW NO-BREAK SPACE}", " "))
    if found is None:
        raise ValueError(f"Expected a time such as 2024-07-05 07:30:00 +0200, got {text[:40]!r}")
    day, hour, rest, half, zone_hours, zone_minutes = found.groups()
    hours = int(hour) if half is None else int(hour) % 12 + 12 * (half == "P")
    return At(*instant_parts(f"{day}T{hours:02}{rest}{zone_hours}:{zone_minutes}"))


def source_of(element: Element) -> Source:
    """Raises KeyError where it does not say."""
    return _named(element.attributes["sourceName"], element.attributes.get("sourceVersion", ""))


@lru_cache(maxsize=4096)
def _named(name: str, version: str) -> Source:
    name = name.replace("/", " ").strip()[:150] or "unnamed"
    return Source(name, f"{name}/{version.replace('/', ' ')[:40] or 'apple-health'}")


def metadata(element: Element) -> dict[str, str]:
    """Key → value."""
    return {child.get("key", ""): child.get("value", "") for name, child in element.children if name == "MetadataEntry"}


def value_of(element: Element, units: Mapping[str, Decimal]) -> Decimal:
    """The value in the base of `units`. Raises ValueError for none, a negative one or an unknown unit."""
    value = measured(element.attributes["value"], element.attributes.get("unit"), units)
    if value < 0:
        raise ValueError(f"Expected a value of at least 0, got {element.attributes['value']}")
    return value


def draft(
    line: int,
    kind: str,
    at: At,
    source: str,
    key: tuple[str, ...],
    data: dict[str, Any],
    rows: int = 1,
    *,
    gathered: bool = False,
) -> Draft:
    """An event of that source: its entity is the source's name without the version, and what `key` says."""
    time = in_utc(at.ms) if at.offset_min is None else at_offset(at.ms, at.offset_min)
    entity = (source.partition("/")[0], *key)
    return Draft(f"line {line}", kind, time, source, entity, data, rows, gathered=gathered)
