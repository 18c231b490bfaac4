"""Which versions of metric definitions are in force: what the topic `definitions` holds.

key    always the same       value  JSON of `Definitions`: all that was ever put in force, in its order

The same record is written to every partition in one transaction, because each owner of a partition must hear it;
partition 0 alone is the whole of it, for whoever only asks. The one with the greatest number counts.
"""

from __future__ import annotations

import msgspec

from schemas.instants import parse_day

KEY = b"current"
Value = int | str
"""Of a parameter: a whole number in its unit, or a word."""


class Version(msgspec.Struct, frozen=True):
    """One version of one metric's definition, and the local days that it judges; where versions overlap the later
    one judges. Version 1 of each metric is the code's own and stands nowhere."""

    metric: str
    version: int
    values: dict[str, Value]
    """Parameter → value, all of the metric's."""
    since: str | None
    """First local day as YYYY-MM-DD; None: from the beginning."""
    until: str | None
    """Last local day; None: all to come."""
    run: str
    """The backfill that put it in force."""


class Definitions(msgspec.Struct, frozen=True):
    """All of them."""

    number: int = 0
    """How many were put in force; the greatest counts."""
    versions: tuple[Version, ...] = ()

    def of(self, metric: str) -> tuple[Version, ...]:
        """Those of one metric, in their order."""
        return tuple([each for each in self.versions if each.metric == metric])

    def next_version(self, metric: str) -> int:
        """The number that the metric's next version gets."""
        return max([1, *(each.version for each in self.of(metric))]) + 1

    def plus(self, version: Version) -> Definitions:
        """These, and one more."""
        return Definitions(self.number + 1, (*self.versions, version))


NONE = Definitions()
encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Definitions).decode


def decode(value: bytes | None) -> Definitions:
    """Raises ValueError, saying why, for what is no such record.

    >>> decode(encode(NONE.plus(Version("steps", 2, {"a": 1}, "2026-01-01", None, "r")))).number
    1
    """
    if value is None:
        raise ValueError("Expected definitions, got a Kafka record without a value")
    found = _decode(value)
    for each in found.versions:
        for day in (each.since, each.until):
            if day is not None:
                parse_day(day)
    return found
