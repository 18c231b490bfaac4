"""One owned partition: its state, how far each source is folded into it, and which chunks wait for their commit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.positions import NEWEST, Position, beyond, decode_position, encode_position, is_position, version_of
from schemas.rows import decode_rejected
from schemas.suppression import Erased, matches, named_by
from schemas.topics import BY_SUBJECT, SUPPRESSED
from streams.runtime.limit import Limit, Tally, tallied
from streams.state import Counts, Guarded, Pairs, PartitionState, Records, Target


class BrokenFold(Exception):
    """The fold changed its state and does not account for it: trying again would apply the records twice."""


class Flush(NamedTuple):
    """What one transaction writes, and whom to tell when it is committed."""

    number: int
    records: Mapping[Target, Pairs]
    positions: dict[str, Position]
    acks: Sequence[Callable[[], object]]
    is_history: bool = False
    """Whether any of it was folded from what had been there before the state began: readers are told, by a header."""
    silent: Collection[Target] = ()
    """Targets whose readers are told so in any case."""


class OwnedPartition:
    """Everything that a worker knows about one partition while it owns it. Not shared between threads."""

    def __init__(
        self,
        number: int,
        changelog: str,
        generation: int,
        state: PartitionState,
        limit: Limit | None = None,
        erased: Erased | None = None,
        state_format: int = NEWEST,
    ) -> None:
        """`erased`: read to its end before anything is folded; shared by all partitions of a worker. `state_format`:
        what is written; all of READABLE are read."""
        self._format = state_format
        self.number = number
        self.state = state
        self.positions: dict[str, Position] = {}
        self.flush_number = 0
        self.changelog_offset: int | None = None
        """The last changelog offset that memory reflects; None before the first."""
        self.ready = False
        """Restored completely and admitted; set once per assignment."""
        self.waiting: list[Callable[[], object]] = []
        """Acknowledgements of chunks that are folded and not yet handed to a transaction."""
        self._owed: list[Callable[[], object]] = []
        """Those of chunks of which the last drain has not told all."""
        self.allowed: dict[str, int] = {}
        """Source topic → offset before which an operator lets any number of records be refused."""
        self.committed: dict[str, Position] = {}
        """The positions as others see them: what metrics tell."""
        self.newest_ms: dict[str, int] = {}
        """Source topic → append time of the newest record that was folded here."""
        self._changelog = changelog
        self._generation = generation
        self._moved: set[str] = set()
        self._quiet = False
        self._reached: Callable[[str, int, int], None] | None = getattr(state, "reached", None)
        self._limit = limit
        self._tally = Tally()
        self._erased = Erased() if erased is None else erased
        self._hidden = 0
        """Refused records of erased subjects in the fold under way: they are not filed."""
        if isinstance(state, Guarded):
            state.guard = self._guard

    # -- recovery

    def restore(self, keys: Sequence[bytes | None], values: Sequence[bytes | None], last_offset: int) -> None:
        """Apply changelog records up to ``last_offset``; raises ValueError for what is no record of a changelog."""
        special = [i for i, key in enumerate(keys) if not key or key[0] == 0]
        if special:
            for i in special:
                self._restore_special(keys[i], values[i])
            skip = set(special)
            keys = [key for i, key in enumerate(keys) if i not in skip]
            values = [value for i, value in enumerate(values) if i not in skip]
        if keys:
            self.state.restore(keys, values)  # type: ignore[arg-type]  # the keys that are None were special
        self.changelog_offset = last_offset

    def _restore_special(self, key: bytes | None, value: bytes | None) -> None:
        note: Callable[[bytes, bytes | None], bool] | None = getattr(self.state, "restore_note", None)
        if key and not is_position(key) and note is not None and note(key, value):
            return
        if key is None or not is_position(key):
            raise ValueError(f"{self._changelog}/{self.number} holds a record with the key {key!r}, which is not ours")
        if value is None:
            return
        topic, position = decode_position(key, value)
        self.positions[topic] = self.committed[topic] = position
        self.flush_number = max(self.flush_number, position.flush)

    def close(self) -> None:
        """The partition leaves; a state that keeps something outside memory lets go of it."""
        getattr(self.state, "close", lambda: None)()

    # -- folding

    def next_offset(self, topic: str) -> int | None:
        """Return the watermark of ``topic``; None where nothing of it was ever folded here."""
        position = self.positions.get(topic)
        return None if position is None else position.next_offset

    def open(self, topic: str, topic_id: str, start: int, end: int = 0) -> None:
        """Begin to fold a source that this partition has no position of; what lies before ``end`` is its history."""
        position = Position(self._generation, self.flush_number, topic_id, start, history=end)
        self.positions[topic] = self.committed[topic] = position

    def begin(self, topic: str, end: int) -> None:
        """Tell the state, if it listens, how far it is in a source before anything more is folded: the next flush may
        say so, and there is one."""
        if self._reached is not None and topic != SUPPRESSED.name:
            self._reached(topic, self.positions[topic].next_offset, end)
            self._moved.add(topic)

    def fold(self, records: Records, next_offset: int, end: int = 0) -> None:
        """Fold records and move the watermark; raises TooManyRefused or as the state does, having changed nothing.

        ``end``: where the source ended when they were fetched.
        """
        if records.topic == SUPPRESSED.name:
            return self._suppress(records, next_offset)
        received = len(records.offsets)
        old = self.positions[records.topic]
        self._tally = Tally(old.recent, old.recent_rejected, old.rejected_run)
        is_history = bool(received) and records.offsets[0] < old.history
        if is_history:
            records = records._replace(history=old.history)
        newest_ms = records.timestamps[-1] if received else None
        records, self._hidden = self._of_the_others(records), 0
        passed_over = received - len(records.offsets)
        counts = self.state.fold(records) if records.offsets else Counts()
        if records.topic in getattr(self.state, "uncounted", ()):
            received = 0
        elif passed_over or self._hidden:  # an erasure supersedes all that its subject ever sent
            counts = counts.plus(Counts(superseded=passed_over + self._hidden))
        if sum(counts) != received or next_offset < old.next_offset:
            raise BrokenFold(
                f"{received} records up to offset {next_offset - 1} were folded onto {old.next_offset}, and the fold "
                f"accounts for {counts}"
            )
        position = replace(
            old,
            next_offset=next_offset,
            received=old.received + received,
            recent=self._tally.recent,
            recent_rejected=self._tally.rejected,
            rejected_run=self._tally.run,
        )
        self.positions[records.topic] = _plus(position, counts)
        self._moved.add(records.topic)
        if self._reached is not None:
            self._reached(records.topic, next_offset, end)
        if is_history:
            self._quiet = True
        if received and newest_ms is not None:
            self.newest_ms[records.topic] = newest_ms

    def _of_the_others(self, records: Records) -> Records:
        """These records without those of erased subjects."""
        keys = records.keys
        if records.topic not in BY_SUBJECT or not self._erased.among(keys):
            return records
        kept = [i for i, key in enumerate(keys) if key is None or not self._erased.has(key)]
        return records._replace(
            offsets=[records.offsets[i] for i in kept],
            timestamps=[records.timestamps[i] for i in kept],
            keys=[keys[i] for i in kept],
            values=[records.values[i] for i in kept],
        )

    def _suppress(self, records: Records, next_offset: int) -> None:
        """Whoever is on the list from now on leaves the state, and what is read of them later is passed over.

        Raises OtherKey or ValueError for what is no record of the list, having changed nothing.
        """
        said = [self._erased.take(key, value) for key, value in zip(records.keys, records.values, strict=True)]
        erase: Callable[[Callable[[Iterable[str]], list[str]]], None] | None = getattr(self.state, "erase", None)
        hashes = {one for one in said if one is not None}
        if erase is not None and hashes:
            erase(lambda subjects: matches(self._erased, hashes, subjects))
        self.positions[records.topic] = replace(self.positions[records.topic], next_offset=next_offset)
        self._moved.add(records.topic)

    def _guard(self, records: Records, refused: Pairs) -> None:
        """Called by the state between judging and applying."""
        if self._erased and refused:  # under somebody else's key, perhaps
            kept = [pair for pair in refused if not self._names_erased(pair[1])]
            self._hidden, refused[:] = len(refused) - len(kept), kept
        if self._limit is None:
            return
        allowed = self.allowed.get(records.topic, 0)
        self._tally = tallied(self._limit, self._tally, records, refused, allowed)

    def _names_erased(self, row: bytes | None) -> bool:
        rejected = decode_rejected(row or b"")
        return any([self._erased.has(subject) for subject in named_by(rejected.key, rejected.raw)])

    # -- flushing

    @property
    def _owes(self) -> bool:
        return getattr(self.state, "owes", False)

    @property
    def dirty(self) -> bool:
        """Whether anything was folded since the last drain, or is owed."""
        return bool(self._moved) or (self.ready and self._owes)

    def drain(self) -> Flush:
        """Take everything that changed, with the watermarks that it belongs to."""
        above: int = getattr(self.state, "above", 0)  # only streams that take hints have it
        self.flush_number = number = max(self.flush_number + 1, beyond(above, self._generation, self.flush_number))
        self._moved = self._moved or set(self.positions)  # where it is owed, nothing may have moved
        drained = self.state.drain(version_of(self._generation, number))
        for topic, counts in drained.settled.items():
            self.positions[topic] = _plus(self.positions[topic], counts)
            self._moved.add(topic)
        for topic in self._moved:
            self.positions[topic] = replace(self.positions[topic], generation=self._generation, flush=number)
        moved = {topic: self.positions[topic] for topic in sorted(self._moved)}
        positions: Pairs = [encode_position(topic, position, self._format) for topic, position in moved.items()]
        self._moved = set()
        acks, self._owed, self.waiting = self._owed, self.waiting, []
        if not self._owes:
            acks, self._owed = [*acks, *self._owed], []
        quiet, self._quiet = self._quiet, False
        records = {**drained.rows, self._changelog: [*drained.state, *positions]}
        return Flush(number, records, moved, acks, quiet, drained.silent)


def _plus(position: Position, counts: Counts) -> Position:
    return replace(position, **{name: getattr(position, name) + count for name, count in counts._asdict().items()})
