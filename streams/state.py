"""What a stream's pure core gives the runtime, and what it gets: lists of bytes in, lists of bytes out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

Headers = Sequence[tuple[str, bytes | None]]


HISTORY = ("history", b"1")
"""Header of what a stream writes while it folds what was there before it began (DESIGN §8 rule 18)."""


class Records(NamedTuple):
    """Some consecutive records of one partition of one source topic, as parallel lists."""

    topic: str
    partition: int
    offsets: Sequence[int]
    timestamps: Sequence[int]
    """Milliseconds; the broker's append time where the topic is configured so."""
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Mapping[int, Headers] = {}
    """By offset, only of the records that have any."""
    history: int = 0
    """Records below this offset were there before the state began: folding them is a rebuild, which is silent."""

    def is_history(self, at: int) -> bool:
        """Whether the record at this place was there before the state began, or was written by a stream's rebuild."""
        offset = self.offsets[at]
        return offset < self.history or (offset in self.headers and HISTORY in self.headers[offset])


class Counts(NamedTuple):
    """What became of some records; of one fold call, their sum is the number of records."""

    applied: int = 0
    duplicate: int = 0
    superseded: int = 0
    rejected: int = 0
    pending: int = 0
    """They wait, in the state, for what it does not know yet; later they become one of the first three."""

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*map(sum, zip(self, other, strict=True)))


Pairs = list[tuple[bytes, bytes | None]]
"""Records to write, as (key, value); the value None deletes the key."""


Target = str | tuple[str, int]
"""Where rows go: a topic, to its partition with the number of the state's own; or a topic and a partition."""


class Drained(NamedTuple):
    """What a partition changed since the last drain, encoded."""

    state: Pairs
    """Records of the changelog: all that `restore` needs."""
    rows: Mapping[Target, Pairs]
    """Records to write, by where they go; all of them become visible together."""
    settled: Mapping[str, Counts] = {}
    """Source topic → what became of its records that were pending; `pending` is negative."""
    silent: Collection[Target] = ()
    """Targets whose rows tell nothing new (DESIGN §8 rule 18): their readers are told so, by a header."""


Guard = Callable[[Records, Pairs], None]
"""Looks at what a fold is about to refuse (keys and rows of the topic `rejected`) before anything is applied; what it
raises leaves the state as it was."""


@runtime_checkable
class Guarded(Protocol):
    """A state that refuses records and asks first."""

    guard: Guard | None


class PartitionState(Protocol):
    """The pure state of one partition: no I/O, no clock. The runtime calls it from one thread, never twice at once.

    It may also have `erase(find)`, which drops subjects for good: `find` picks them out of those that it is given; and
    `restore_note(key, value) -> bool`, for changelog records of its own whose keys begin with a zero
    byte; `uncounted`, the source topics that carry no events: their records are not counted; and
    `reached(topic, next_offset, end)`, which hears at the start and after each fold how far it has come, and where the
    source ended then; a flush follows; and `owes`, whether the last drain told not yet all: then another flush
    follows, which tells the rest of it, and before that it does not count as done.
    """

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take changelog records in their order, later ones win. May be called again with a tail after a rebalance."""

    def fold(self, records: Records) -> Counts:
        """Compute, then apply: raising leaves the state as it was, so the same call may be made again."""

    def drain(self, version: int) -> Drained:
        """Return what changed since the last drain, rows carrying ``version``, and forget that it changed."""
