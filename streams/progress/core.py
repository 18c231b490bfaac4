"""The state of one partition: users and their days; a changed day changes its user's row.

Deciding and applying are apart (DESIGN §8 rule 13): a chunk is read whole before anything changes. Rows come in the
order in which their owner wrote them, so the last one counts; a row of an earlier generation counts for nothing
(rule 11). Nothing else about order matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.codec import Rejected
from schemas.hints import decode_progress_hint
from schemas.positions import GENERATION_SHIFT
from schemas.refusal import filed
from schemas.rows import encode_row, rejected_key
from schemas.topics import GENERATION, MILESTONES, PROGRESS, PROGRESS_HINTS, REJECTED
from streams.progress.milestones import of_user
from streams.progress.reading import Read, day_of, read, read_many
from streams.progress.user import User
from streams.state import Counts, Drained, Guard, Pairs, Records, Target

OLDEST = GENERATION << GENERATION_SHIFT
"""Rows with a lower version are of an earlier generation."""


WARM = 100_000
"""Users of one partition whose sums, streaks and records are kept at hand; of all others there are the packed days,
from which a row of theirs makes the rest again."""


class Progress:
    """streams.state.PartitionState: the changelog holds one cell per user and day, under the key of the daily row."""

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.users: dict[str, User] = {}
        self._state: dict[bytes, bytes | None] = {}
        self._dirty: dict[str, bool] = {}
        """Users with changed days → whether any of it is news."""
        self._warm: dict[str, None] = {}
        """Users that are warm, those first whose last row is longest ago."""
        self._erased: dict[str, None] = {}
        """Users whose last changed day was taken away by a tombstone: if no day is left, so is their row."""
        self._rejected: Pairs = []
        self.guard: Guard | None = None
        self.above = 0
        """The next rows' version must be higher: a store was found to hold this one."""

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take cells from the changelog, later records win; users stay cold until a row touches them."""
        for key, cell in zip(keys, values, strict=True):
            subject, _, day = key.decode().rpartition("|")
            user = self.users.get(subject)
            if user is None or user.warm:
                user = self.users[subject] = User(None if user is None else user.history)
                self._warm.pop(subject, None)
            user.history.put(day_of(day), cell)

    def fold(self, records: Records) -> Counts:
        """Fold rows of the topic `daily`, or hints. Raising leaves the state as it was."""
        if records.topic == PROGRESS_HINTS.name:
            return self._look_again(records)
        refused: Pairs = []
        superseded = 0
        decided = read_many(records.values, OLDEST)
        gone: list[tuple[str, int, bytes]] = []
        for i, found in enumerate(decided):
            if found is None:
                value, key = records.values[i], records.keys[i]
                try:
                    if value is None and key is not None:  # a day of an erased user
                        user_id, _, day = key.decode().rpartition("|")
                        gone.append((user_id, day_of(day), key))
                        continue
                    decided[i] = found = read(value or b"", OLDEST)
                except (msgspec.MsgspecError, ValueError) as why:
                    place = (records.topic, records.partition, records.offsets[i], records.timestamps[i])
                    reject = filed(Rejected(str(why), "$"), *place, value, records.keys[i])
                    refused.append((rejected_key(reject), encode_row(reject)))
                    continue
                superseded += found is None
        bad = len(refused)
        if self.guard is not None:
            self.guard(records, refused)
        all_news = not records.headers and (not records.offsets or records.offsets[0] >= records.history)
        applied = self._apply(decided, None if all_news else records)
        self._rejected += refused
        for user_id, number, key in gone:  # after all rows: whoever wrote it had written them before
            applied += self._take_away(user_id, number, key)
        left = len(decided) - applied - superseded - bad
        return Counts(applied, left, superseded, len(refused))

    def _take_away(self, user_id: str, day: int, key: bytes) -> bool:
        """Take a day of an erased user out, silently; whether it was there. Nobody is made by that."""
        user = self.users.get(user_id)
        if user is None or not user.put(day, None):
            return False
        self._state[key] = None
        self._warm[user_id], self._dirty[user_id], self._erased[user_id] = None, False, None
        return True

    def _apply(self, decided: Sequence[Read | None], maybe_old: Records | None) -> int:
        """Take rows; `maybe_old`: where they came from, if not all of them are news."""
        applied, users, dirty, state, warm = 0, self.users, self._dirty, self._state, self._warm
        for i, found in enumerate(decided):
            if found is None:
                continue
            user_id, day, key, cell = found
            user = users.get(user_id)
            if user is None:
                user = users[user_id] = User()
            warm[user_id] = None
            if user.put(day, cell):
                applied += 1
                state[key] = cell
                is_news = maybe_old is None or not maybe_old.is_history(i)
                dirty[user_id] = is_news or dirty.get(user_id, False)
        return applied

    def _look_again(self, records: Records) -> Counts:
        """Find the progress of users again from their days, and say it; nothing in a hint is believed."""
        refused: Pairs = []
        for i, (key, value) in enumerate(zip(records.keys, records.values, strict=True)):
            try:
                user_id, hint = decode_progress_hint(key, value)
            except (msgspec.MsgspecError, ValueError) as why:
                place = (records.topic, records.partition, records.offsets[i], records.timestamps[i])
                reject = filed(Rejected(f"no hint: {why}", "$"), *place, value, key)
                refused.append((rejected_key(reject), encode_row(reject)))
                continue
            self.above = max(self.above, hint.above)
            if user_id not in self._dirty:
                known = self.users.get(user_id)
                user = self.users[user_id] = User(None if known is None else known.history)
                user.heat()
                self._warm[user_id], self._dirty[user_id] = None, False
        self._rejected += refused
        return Counts(len(records.values) - len(refused), rejected=len(refused))

    def drain(self, version: int) -> Drained:
        """What changed since the last drain: cells, a row per user with this version, milestones, rejects."""
        rows: Pairs = []
        milestones: Pairs = []
        for user_id, is_news in self._dirty.items():
            user = self.users[user_id]
            key = user_id.encode()
            is_erased = user_id in self._erased and not user.history.days
            rows.append((key, None if is_erased else user.row(user_id, version)))
            if is_erased:
                del self._warm[user_id], self.users[user_id]
                continue
            told, shown, now = user.tell()
            if is_news and (told or shown != now):
                milestones += [(key, encode_row(m)) for m in of_user(user_id, (told, user.records), (shown, now))]
            del self._warm[user_id]
            if user.history.days:
                self._warm[user_id] = None
            else:
                del self.users[user_id]
        while len(self._warm) > WARM:
            coolest = next(iter(self._warm))
            del self._warm[coolest]
            self.users[coolest] = User(self.users[coolest].history)
        written: dict[Target, Pairs] = {PROGRESS.name: rows, MILESTONES.name: milestones, REJECTED.name: self._rejected}
        drained = Drained(list(self._state.items()), written)
        self._state, self._dirty, self._rejected, self._erased = {}, {}, [], {}
        return drained
