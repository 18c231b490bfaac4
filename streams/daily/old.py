"""Old days: what leaves a ledger, which events wait for what left, and how it comes back. Why: docs/adr/0017.

A user is whole (all of its entities are in memory) or has a floor (floor.py). `sift` lets pass what can be decided,
`hold` keeps the rest, `drain` asks for it and makes room, `hear` takes the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from schemas import loads
from schemas.instants import MS_PER_DAY
from schemas.ledger import FAMILY_LETTERS, KIND_AT, RANK_BYTES, unpack_winner
from schemas.loads import FLOOR, PENDING, Ask, Mark, Part, fingerprint
from streams.daily.cells import amount_of, platform_of, winner_day
from streams.daily.days import day_of
from streams.daily.floor import Floor, old_keys
from streams.daily.hints import take_hints
from streams.daily.valid import REGISTERS, first_day
from streams.state import Counts, Pairs, Records

if TYPE_CHECKING:
    from streams.daily.core import Decided, Ledger
    from streams.daily.users import User

_FAMILIES = {letter.encode(): family for family, letter in FAMILY_LETTERS.items()}
SWEEP_DAYS = 7
"""How often all users are looked at: entities stay up to this long beyond the hot window."""
QUIET_MS = 3_600_000
"""How long a user must be quiet before anything leaves, by the partition's clock. Loaded entities stay as long."""
ASK_AGAIN_MS = 60_000
"""When a question without a fitting answer is asked again, by the partition's clock."""
LOOKED_AT = 1_000
"""Entities that one drain looks at for eviction, a whole user at least: about a millisecond."""
BITE = 5_000
"""Most entities of one user that one drain evicts, a whole day at least."""


class OldDays:
    """The old days of one partition's users."""

    def __init__(
        self, ledger: Ledger, hot_days: int, *, sweep_days: int = SWEEP_DAYS, quiet_ms: int = QUIET_MS
    ) -> None:
        self._ledger = ledger
        self._hot_days, self._sweep_days, self._quiet_ms = hot_days, sweep_days, quiet_ms
        self.floors: dict[str, Floor] = {}
        self.pending: dict[str, dict[bytes, bytes]] = {}
        """User → entity key → winner among the events that wait."""
        self.clock_ms = 0
        """Greatest append time seen."""
        self.stored = 0
        """Version of the last flush that ClickHouse is known to hold, with all before it."""
        self.evicted = self.loaded = self.refused = 0
        """How many entities left, how many users came back, how many answers did not fit: since the start."""
        self._settled: dict[str, Counts] = {}
        self._new()

    def _new(self) -> None:
        self._fresh = True
        """Nothing but restoring has happened."""
        self._to_ask: dict[str, None] = dict.fromkeys(self.pending)
        """Users of whom a load must be asked for."""
        self._asked: dict[str, tuple[int, int]] = {}
        """User → number of the open question, and the clock when it was asked."""
        self._answers: dict[str, dict[str, dict[int, Part]]] = {}
        """User → attempt → number → part."""
        self._deferred: dict[str, list[Records]] = {}
        """User → hints that are followed once it is whole. A crash forgets them; who hints looks again."""
        self.whole: dict[str, int] = {}
        """Users with a floor of whom everything is in memory → the clock when it came."""
        self._borrowed: dict[str, set[bytes]] = {}
        """User → keys that are in memory and not in the changelog."""
        self._changed: dict[str, tuple[int, int]] = {}
        """User → version of the last flush that changed an entity, and the clock then; the longest quiet first.
        Not in it: users that are quiet for long enough, and whom ClickHouse holds."""
        self._since_ms = 0
        """The clock when the first flush after restoring was drained: who changed before that nobody knows."""
        self._barrier: int | None = None
        """Everything restored was written at this version or before; None until the first drain."""
        self._queue: deque[str] = deque()
        """Users to be looked at for eviction first, and then the rest of the sweep."""
        self._rest: Iterator[str] | None = None
        self._later: dict[str, None] = {}
        self._swept = 0
        """The day before which this sweep evicts."""

    # -- recovery

    def forget(self) -> None:
        """Before anything is restored: what is not in the changelog was only an advantage."""
        if not self._fresh:
            self._new()

    def restore(self, key: bytes, value: bytes | None) -> bool:
        """Take a record of the changelog whose key begins with a zero byte; whether it is one of ours."""
        if key.startswith(FLOOR):
            subject, number = loads.split_floor_key(key)
            if value is not None:
                self.floors.setdefault(subject, Floor()).take(number, loads.decode_evicted(value))
            else:  # erased, with all its records
                self.floors.pop(subject, None)
            return True
        if not key.startswith(PENDING):
            return False
        entity = key[len(PENDING) :]
        subject = _subject(entity)
        waiting = self.pending.setdefault(subject, {})
        if value is not None:
            waiting[entity] = value
        else:
            waiting.pop(entity, None)
        if waiting:
            self._to_ask[subject] = None
        else:
            del self.pending[subject]
            self._to_ask.pop(subject, None)
        return True

    def erase(self, subject: str) -> None:
        """Forget a user and all that waits for it; what was pending of it is superseded."""
        floor = self.floors.pop(subject, None)
        for number in range(0 if floor is None else floor.records):
            self._ledger.log(loads.floor_key(subject, number), None)
        for key in self.pending.pop(subject, {}):
            self._ledger.log(PENDING + key, None)
            topic = _family(key)
            self._settled[topic] = self._settled.get(topic, Counts()).plus(Counts(superseded=1, pending=-1))
        known: tuple[dict[str, Any], ...] = (
            *(self._to_ask, self._asked, self._answers, self._deferred),
            *(self.whole, self._borrowed, self._changed, self._later),
        )
        for each in known:
            each.pop(subject, None)

    # -- folding

    def sift(self, decided: list[Decided], timestamps: Sequence[int]) -> tuple[list[Decided], list[Decided]]:
        """Part what can be decided from what must wait, by the state before any of them."""
        self._fresh = False
        if timestamps and timestamps[-1] > self.clock_ms:
            self.clock_ms = timestamps[-1]
        floors, whole = self.floors, self.whole
        if not floors:
            return decided, []
        go: list[Decided] = []
        wait: list[Decided] = []
        for one in decided:
            floor = floors.get(one[0])
            sure = floor is None or one[0] in whole or not self._is_unsure(floor, one)
            (go if sure else wait).append(one)
        return go, wait

    def _is_unsure(self, floor: Floor, one: Decided) -> bool:
        subject, key, winner, amount, _, ms, offset_min, timezone = one
        user = self._ledger.users.get(subject)
        old = profiles = None
        if user is not None:
            user.warm()
            old, profiles = user.entities.get(key), user.profiles
        if old is None:
            if fingerprint(key) in floor:
                return True
        elif winner[:RANK_BYTES] <= old[:RANK_BYTES]:
            return False
        elif amount_of(old) and winner_day(unpack_winner(old), profiles or ()) < floor.day:
            return True
        if amount:
            return day_of(ms, offset_min, timezone, profiles or ()) < floor.day
        registers = [each for each in (winner, old) if each is not None and each[KIND_AT] in REGISTERS]
        return any(first_day(key, each) < floor.day for each in registers)

    def hold(self, wait: Iterable[Decided]) -> Counts:
        """Keep events until their user is whole; those that would lose against another that waits need not."""
        duplicate = superseded = pending = 0
        for subject, key, winner, *_ in wait:
            waiting = self.pending.setdefault(subject, {})
            old = waiting.get(key)
            if old is None:
                pending += 1
            elif winner[:RANK_BYTES] == old[:RANK_BYTES]:
                duplicate += 1
                continue
            else:
                superseded += 1
                if winner[:RANK_BYTES] < old[:RANK_BYTES]:
                    continue
            waiting[key] = winner
            self._ledger.log(PENDING + key, winner)
            self.want(subject)
        return Counts(0, duplicate, superseded, 0, pending)

    def want(self, subject: str) -> None:
        """Have a user's old entities brought back; nothing happens if that was asked already."""
        if subject not in self._asked:
            self._to_ask[subject] = None

    def defer(self, subject: str, hint: Records) -> bool:
        """Whether this hint must wait for the user's old entities; then it is followed when they are here."""
        if subject not in self.floors or subject in self.whole:
            return False
        self._deferred.setdefault(subject, []).append(hint)
        self.want(subject)
        return True

    # -- asking and answers

    def _ask(self, version: int) -> Pairs:
        asked, self._to_ask = self._to_ask, {}
        self._asked |= dict.fromkeys(asked, (version, self.clock_ms))
        question = loads.encode(Ask(version))
        return [(subject.encode(), question) for subject in asked]

    def hear(self, keys: Sequence[bytes | None], values: Sequence[bytes | None], timestamps: Sequence[int]) -> None:
        """Take what the loader says. What nobody asked for, and what is no message of a loader, changes nothing."""
        self._fresh = False
        self.clock_ms = max((self.clock_ms, *timestamps))
        for key, value in zip(keys, values, strict=True):
            try:
                said, subject = loads.decode_said(value or b""), (key or b"").decode()
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self.refused += 1
                continue
            if isinstance(said, Mark):
                self._mark(said.stored)
            else:
                self._hear_part(subject, said)

    def _mark(self, stored: int) -> None:
        self.stored = stored
        now, changed = self.clock_ms, self._changed
        while changed:
            subject = next(iter(changed))
            version, at = changed[subject]
            if version > stored or now - at < self._quiet_ms:
                break
            del changed[subject]
        for user in [user for user, (_, asked_at) in self._asked.items() if now - asked_at >= ASK_AGAIN_MS]:
            del self._asked[user]
            self._to_ask[user] = None
        if self._hot_days:
            self._later |= dict.fromkeys(s for s, at in self.whole.items() if now - at >= self._quiet_ms)
            self._queue.extend(self._later)
            self._later = {}

    def _hear_part(self, subject: str, part: Part) -> None:
        if self._asked.get(subject, (None, 0))[0] != part.number:
            return
        parts = self._answers.setdefault(subject, {}).setdefault(part.attempt, {})
        parts[part.part] = part
        if len(parts) == part.parts:
            del self._answers[subject]
            self._join(subject, {key: winner for each in parts.values() for key, winner in each.entities})

    def _join(self, subject: str, found: dict[bytes, bytes]) -> None:
        """Make a user whole with all its entities that ClickHouse holds, and decide what waited."""
        ledger = self._ledger
        floor = self.floors.get(subject, Floor())
        user = ledger.user(subject)
        have = user.entities
        there = set(map(fingerprint, found)).union(map(fingerprint, have))
        if any(gone not in there for gone in floor.fingerprints):
            self.refused += (
                1  # ClickHouse has lost something: asked again after a while, and until then nothing is said
            )
            return
        borrowed = {key: winner for key, winner in found.items() if key not in have and fingerprint(key) in floor}
        news = [
            key for key in found if key not in borrowed and found[key][:RANK_BYTES] > have.get(key, b"")[:RANK_BYTES]
        ]
        have.update(borrowed)
        user.cells = None
        days = user.warm()
        if loads.add_weights(0, borrowed.items()) != floor.sum:  # more than was evicted: every row may have changed
            for day in days:
                ledger.emit_again(subject, day)
        self.whole[subject], self._borrowed[subject] = self.clock_ms, set(borrowed)
        self._asked.pop(subject, None)
        self.loaded += 1
        ledger.join([decided_of(subject, key, found[key]) for key in news])
        for key, winner in self.pending.pop(subject, {}).items():
            counts = ledger.join([decided_of(subject, key, winner)])
            ledger.log(PENDING + key, None)
            topic = _family(key)
            self._settled[topic] = self._settled.get(topic, Counts()).plus(counts._replace(pending=-1))
        for hint in self._deferred.pop(subject, ()):
            take_hints(ledger, hint)

    # -- draining

    def settle(self) -> dict[str, Counts]:
        """What became, since the last call, of events that were counted as pending: source topic → counts."""
        settled, self._settled = self._settled, {}
        return settled

    def drain(self, log: Mapping[bytes, bytes | None], users: Iterable[str], version: int) -> Pairs:
        """Make some room, after the rows are made; returns the questions to ask. `log`: what this flush writes, of
        these `users`."""
        self._fresh = False
        if self._barrier is None:
            self._barrier, self._since_ms = version - 1, self.clock_ms
        if self._hot_days:
            self._note(log, users, version)
            if self.stored >= self._barrier and self.clock_ms - self._since_ms >= self._quiet_ms:
                self._sweep()
        return self._ask(version)

    def _note(self, log: Mapping[bytes, bytes | None], users: Iterable[str], version: int) -> None:
        """Remember whose entities this flush changes."""
        changed, borrowed, now = self._changed, self._borrowed, (version, self.clock_ms)
        for subject in users:
            if changed.get(subject) is not now:
                changed.pop(subject, None)
                changed[subject] = now
        if borrowed:
            for key in log:
                if key[0] and (kept := borrowed.get(_subject(key))):
                    kept.discard(key)

    def _sweep(self) -> None:
        """Evict entities of days before the hot window, of users whose last change ClickHouse holds."""
        target = self.clock_ms // MS_PER_DAY - self._hot_days
        if self._rest is None and not self._queue and target >= self._swept + self._sweep_days:
            self._swept, self._later = target, {}
            self._rest = self._ledger.users.subjects()
        budget = LOOKED_AT
        for _ in range(LOOKED_AT):
            if (subject := self._next()) is None:
                return
            user = self._ledger.users.get(subject)
            if user is None:
                continue
            waits = subject in self._asked or subject in self._to_ask
            if waits or subject in self._changed:
                self._later[subject] = None
                continue
            budget -= len(user.entities)
            if not self._evict(subject, user):
                self._queue.appendleft(subject)
            if budget < 0:
                return

    def _next(self) -> str | None:
        """The next user to look at."""
        if self._queue:
            return self._queue.popleft()
        subject = next(self._rest, None) if self._rest is not None else None
        if subject is None:
            self._rest = None
        return subject

    def _evict(self, subject: str, user: User) -> bool:
        """Evict what is old of one user, or a bite of it; whether nothing old is left."""
        ledger, entities = self._ledger, user.entities
        floor = self.floors.get(subject, Floor())
        day = max(self._swept, floor.day)
        profiles = user.profiles if user.cells is not None else user.read_profiles()
        keys, complete = old_keys(entities, profiles, day, BITE)
        if not keys:
            return True
        # Of a user that was whole all that is evicted is evicted now; else this comes on top.
        before = 0 if self.whole.pop(subject, None) is not None else floor.sum
        total = loads.add_weights(before, [(key, entities[key]) for key in keys])
        for number, one in floor.evict(day, total, [fingerprint(key) for key in keys]):
            ledger.log(loads.floor_key(subject, number), loads.encode_evicted(one))
        self.floors[subject] = floor
        borrowed = self._borrowed.get(subject, set())
        for key in keys:
            del entities[key]
            if key not in borrowed:
                ledger.log(key, None)
        if complete:
            self._borrowed.pop(subject, None)
        if user.cells is not None:
            for old in [each for each in user.cells if each < day]:
                del user.cells[old]
        if not entities:
            del ledger.users[subject]
        self.evicted += len(keys)
        return complete


def decided_of(subject: str, key: bytes, packed: bytes) -> Decided:
    """A winner as the fold takes it: the inverse of what `decide` makes of an event."""
    winner = unpack_winner(packed)
    platform = platform_of(winner.source)
    return subject, key, packed, amount_of(packed), platform, winner.ms, winner.offset_min, winner.timezone


def _subject(key: bytes) -> str:
    return key[: key.index(0)].decode()


def _family(key: bytes) -> str:
    at = key.index(0) + 1
    return _FAMILIES[key[at : at + 1]]
