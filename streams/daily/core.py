"""The ledger: per user, the winner of every entity; per local day, a cell that is a pure function of the winners.

Deciding and applying are apart (DESIGN §8 rule 13): `decide` reads events and may fail, `_apply` only moves integers.
The order of events does not matter: the winner is the greatest of (revision, is-delete, digest), everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import chain

from schemas import definitions
from schemas.codec import Event, Rejected, chunk_reader, pack_canonical
from schemas.instants import MS_PER_DAY, day_text
from schemas.ledger import (
    KIND_AT,
    NO_OFFSET,
    RANK_BYTES,
    pack_header,
    pack_place,
    register_of,
    unpack_winner,
)
from schemas.receipt import judged_by
from schemas.refusal import WRONG_KEY, filed
from schemas.rows import DailyRow, daily_key, encode_row, rejected_key
from schemas.topics import DAILY, DEFINITIONS, HINTS, LOADED, LOADS, REJECTED
from streams.compiled import compiled
from streams.daily.cells import Cell, amount_of, platform_of, winner_day
from streams.daily.contribution import FOLDS
from streams.daily.days import day_of
from streams.daily.definitions import AS_CODED, STANDARD, InForce
from streams.daily.hints import take_hints
from streams.daily.old import OldDays
from streams.daily.reading import native_reader
from streams.daily.rows import row
from streams.daily.users import User, Users
from streams.daily.valid import EMPTY, REGISTERS
from streams.state import Counts, Drained, Guard, Pairs, Records, Target

_compiled = compiled("streams.daily.native_ledger")
_IN_FORCE = b"\0definitions\0"
"""Changelog key of the definitions that this partition has heard of."""
Decided = tuple[str, bytes, bytes, int, str, int, int | None, str | None]
"""An event, reduced to what the ledger needs: subject, key, packed winner, its lanes in their place (0 for what lies on
no day), platform, time in ms, offset in minutes, zone. A plain tuple: a million of them are made in ten seconds."""


def decide(event: Event, ms: int, offset_min: int | None) -> Decided:
    """What an event says about its entity. Depends on nothing but the event."""
    type_name, letter, code, deleted, contribute, is_register = FOLDS[type(event)]
    subject, source, timezone, entity, data = event.subject, event.source, event.timezone, event.entity, event.data
    contribution, amount = contribute(data)
    key = f"{subject}\0{letter}\0{event.id if entity is None else entity}"
    if is_register:
        key = f"{key}\0{register_of(event, type_name)}"
    offset = NO_OFFSET if offset_min is None else offset_min
    digest = sha256(pack_canonical((type_name, source, event.time, timezone, data))).digest()
    header = pack_header(event.revision, deleted, digest, ms, offset, code)
    winner = header + pack_place(source, timezone) + contribution
    return subject, key.encode(), winner, amount, platform_of(source), ms, offset_min, timezone


def judge(records: Records) -> tuple[list[Decided], Pairs]:
    """Accept or refuse the records of one source topic, by their bytes and the time of receipt alone (rule 4).

    Returns what was accepted, decided, and the rows that say what was refused.
    """
    times = judged_by(records.offsets, records.timestamps, records.headers)
    native = native_reader(records.topic)
    if native is None:
        return _judge(records, times, range(len(records.values)))
    decided, left = native.read(records.values, times, records.keys)
    if not left:
        return decided, []
    late, refused = _judge(records, times, left)
    return [one for one in decided if one is not None] + late, refused


def _judge(records: Records, times: Sequence[int], which: Sequence[int]) -> tuple[list[Decided], Pairs]:
    """`judge` for some of the records, in Python."""
    decided: list[Decided] = []
    refused: Pairs = []
    accept = decided.append
    judged = chunk_reader(records.topic)([records.values[i] for i in which], [times[i] for i in which])
    for i, got in zip(which, judged, strict=True):
        key = records.keys[i]
        if type(got) is tuple:
            one = decide(*got)
            if key == one[0].encode():
                accept(one)
                continue
        why = got if isinstance(got, Rejected) else WRONG_KEY
        place = (records.topic, records.partition, records.offsets[i], records.timestamps[i])
        reject = filed(why, *place, records.values[i], key, times[i])
        refused.append((rejected_key(reject), encode_row(reject)))
    return decided, refused


class Ledger:
    """The state of one partition (streams.state.PartitionState)."""

    uncounted = frozenset({LOADED.name, DEFINITIONS.name})

    def __init__(
        self,
        partition: int = 0,
        hot_days: int = 0,
        users: Users | None = None,
        in_force: InForce = AS_CODED,
        **pace: int,
    ) -> None:
        """`hot_days`: entities of days before so many may be evicted; 0: none ever is. `in_force`: the definitions as
        they are known before anything is folded; a later one comes as a record. `pace`: see `OldDays`."""
        self.partition = partition
        self.in_force = in_force
        self.users = Users() if users is None else users
        self.old = OldDays(self, hot_days, **pace)
        self._state: dict[bytes, bytes | None] = {}
        self._dirty: dict[tuple[str, int], None] = {}
        self._touched: dict[Cell, tuple[str, int]] = {}
        """Days of cells that gained something (a cell may be gone since); asking by cell spares most events a tuple."""
        self._silent: dict[tuple[str, int], None] = {}
        """Days to emit again of which nobody need hear."""
        self._rowless: dict[str, None] = {}
        """Users with a winner that lies on no day; also where it changes no row."""
        self._rejected: Pairs = []
        self._gone: Pairs = []
        """Tombstones of the rows of erased users."""
        self.guard: Guard | None = None
        self.above = 0
        """The next rows' version must be higher: a store was found to hold this one (hints.py)."""

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take winners from the changelog, later records win; users stay cold until an event touches them."""
        self.old.forget()
        self.put(keys, values)

    def restore_note(self, key: bytes, value: bytes | None) -> bool:
        """Take a changelog record whose key begins with a zero byte; whether it is one of ours (schemas/loads.py)."""
        self.old.forget()
        if key == _IN_FORCE:
            self._hear_definitions(value)
            return True
        return self.old.restore(key, value)

    def put(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Set winners without writing them to the changelog; None takes one away."""
        self.users.put(keys, values)

    def close(self) -> None:
        """The partition leaves."""
        self.users.close()

    def fold(self, records: Records) -> Counts:
        """Fold records of one source topic. Raising leaves the ledger as it was."""
        if records.topic == HINTS.name:
            return take_hints(self, records)
        if records.topic == LOADED.name:
            self.old.hear(records.keys, records.values, records.timestamps)
            return Counts()
        if records.topic == DEFINITIONS.name:
            for value in records.values:
                if self._hear_definitions(value):
                    self._state[_IN_FORCE] = value
            return Counts()
        decided, refused = judge(records)
        if self.guard is not None:
            self.guard(records, refused)
        go, wait = self.old.sift(decided, records.timestamps)
        applied, duplicate, superseded = self._apply(go)
        self._rejected += refused
        counts = Counts(applied, duplicate, superseded, len(refused))
        return counts.plus(self.old.hold(wait)) if wait else counts

    def _hear_definitions(self, value: bytes | None) -> bool:
        """Judge by these from now on, if they are later than those known. Raises ValueError for what is none."""
        said = definitions.decode(value)
        if later := said.number > self.in_force.said.number:
            self.in_force = InForce(said)
        return later

    def _apply(self, decided: list[Decided]) -> tuple[int, int, int]:
        """Put what was decided into its place: (applied, duplicate, superseded)."""
        if _compiled is None:
            return self._apply_in_python(decided)
        users, plain = self.users, type(self.users) is Users
        changed = self._touched, self._dirty, self._state, self._rowless
        counted: tuple[int, int, int] = _compiled.apply(
            decided, users, *changed, self._take_out, REGISTERS, User, plain
        )
        return counted

    def _apply_in_python(self, decided: list[Decided]) -> tuple[int, int, int]:
        applied = duplicate = superseded = 0
        users, touched, dirty, state = self.users, self._touched, self._dirty, self._state
        for subject, key, winner, amount, platform, ms, offset_min, timezone in decided:
            user = users.get(subject)
            if user is None:
                user = users[subject] = User()
            cells = user.cells if user.cells is not None else user.warm()
            entities = user.entities
            old = entities.get(key)
            if old is not None:
                if winner[:RANK_BYTES] <= old[:RANK_BYTES]:
                    if winner[:RANK_BYTES] == old[:RANK_BYTES]:
                        duplicate += 1
                    else:
                        superseded += 1
                    continue
                self._take_out(subject, user, key, old)
            applied += 1
            entities[key] = state[key] = winner
            if amount:
                profiles = user.profiles
                if profiles or offset_min is None:
                    day = day_of(ms, offset_min, timezone, profiles)
                else:
                    day = (ms + offset_min * 60_000) // MS_PER_DAY
                cell = cells.get(day)
                if cell is None:
                    cell = cells[day] = Cell(entities.handle(key), amount, platform, ms)
                else:
                    cell.add(entities.handle(key), amount, platform, ms)
                if cell not in touched:
                    touched[cell] = (subject, day)
                continue
            self._rowless[subject] = None
            if winner[KIND_AT] in REGISTERS or (old is not None and old[KIND_AT] in REGISTERS):
                for day in user.judge_again():
                    dirty[subject, day] = None
        return applied, duplicate, superseded

    def _take_out(self, subject: str, user: User, key: bytes, old: bytes) -> None:
        """Remove a replaced winner from its day."""
        if amount := amount_of(old):
            cells, day = user.warm(), winner_day(unpack_winner(old), user.profiles)
            cells[day].remove(user.entities.handle(key), amount)
            if not cells[day].size:
                del cells[day]
            self._dirty[subject, day] = None

    def erase(self, find: Callable[[Iterable[str]], list[str]]) -> None:
        """Drop users as if they had never been: tombstones for winners, floors, what waits, and the days in memory.

        `find` picks them out of the subjects that are here. Their days before the hot window lie in no memory; who
        erases them looks for their rows on the topic.
        """
        here: Iterable[str] = chain(list(self.users), self.users.subjects(), self.old.floors, self.old.pending)
        for subject in find(here):
            user = self.users.get(subject)
            if user is not None:
                days = dict.fromkeys([*user.warm(), *(day for who, day in self._dirty if who == subject)])
                self._gone += [(daily_key(DailyRow(subject, day_text(day), 0)), None) for day in days]
                self._state |= dict.fromkeys([key for key, _ in user.entities.items()])
                del self.users[subject]
            begins = f"{subject}\0".encode()
            self._state |= dict.fromkeys([key for key in self._state if key.startswith(begins)])
            self._touched = {cell: at for cell, at in self._touched.items() if at[0] != subject}
            self._dirty = {at: None for at in self._dirty if at[0] != subject}
            self._silent = {at: None for at in self._silent if at[0] != subject}
            self._rowless.pop(subject, None)
            self.old.erase(subject)

    # -- what hints ask for (hints.py), and old days (old.py)

    def join(self, decided: list[Decided]) -> Counts:
        """Join winners by rule 1 and write them to the changelog, as events that were just read."""
        return Counts(*self._apply(decided))

    def user(self, subject: str) -> User:
        """The user, made anew where it is unknown."""
        return self.users.of(subject)

    def emit_again(self, subject: str, day: int) -> None:
        """Make the day's row again at the next drain, whatever it is; also where the user or the day is unknown."""
        self.user(subject)
        self._dirty[subject, day] = None

    def emit_silently(self, subject: str, day: int) -> None:
        """As `emit_again`, and nothing is told of it, unless something happens on that day before the next drain."""
        self.user(subject)
        self._silent[subject, day] = None

    def log(self, key: bytes, value: bytes | None) -> None:
        """Write a record to the changelog, None as a tombstone."""
        self._state[key] = value

    def refuse(self, rejects: Pairs) -> None:
        """Have these rows written to the topic `rejected`."""
        self._rejected += rejects

    def drain(self, version: int) -> Drained:
        """What changed since the last drain: winners, rows with this version, rejects. Clears the dirty set."""
        days = dict.fromkeys([*self._touched.values(), *self._dirty])
        rows: Pairs = [self._row(subject, day, version) for subject, day in days]
        silent = [day for day in self._silent if day not in days]
        hushed: Pairs = [self._row(subject, day, version) for subject, day in silent]
        users = dict.fromkeys([subject for subject, _ in (*days, *silent)])
        asked = self.old.drain(self._state, users | self._rowless, version)
        self.users.settle(self._state, self.old.whole)
        rows += self._gone
        topics: dict[Target, Pairs] = {DAILY.name: rows, REJECTED.name: self._rejected, LOADS.name: asked}
        quiet: tuple[Target, ...] = ((DAILY.name, self.partition),) if hushed else ()
        topics |= dict.fromkeys(quiet, hushed)
        drained = Drained(list(self._state.items()), topics, self.old.settle(), quiet)
        self._state, self._dirty, self._touched, self._rowless, self._rejected = {}, {}, {}, {}, []
        self._gone, self._silent = [], {}
        return drained

    def _row(self, subject: str, day: int, version: int) -> tuple[bytes, bytes]:
        user = self.users[subject]
        cell, rules = user.warm().get(day), self.in_force.on(day)
        usual = rules.meals_a_day == STANDARD.meals_a_day
        if _compiled is not None and cell is not None and user.book is EMPTY and usual:
            made: tuple[bytes, bytes] | None = _compiled.meal_row(subject, day, cell, version)
            if made is not None:
                return made
        out = row(subject, day, cell, user.entities, version, user.book, rules)
        return daily_key(out), encode_row(out)
