"""Stage one: per user, the winner of every view and reaction; tastes, likes and recommendations follow from those.

Keyed by user, so the users of two partitions are never the same and their counts add up. What is folded twice, in
another order, edited or deleted comes to what one pass over the winners comes to: each of them can be taken out again.
Deciding and applying are apart (DESIGN §8 rule 13).

Bounded: a user keeps the events of nine weeks, at most MOST_EVENTS; one who is silent for longer than that is forgotten
until the next event. Pairs of likes are at most ten a like. Of each item a partition tells its MOST_NEAR most frequent
neighbours, so what stage two adds up is short by at most the last of them for each partition that has more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from schemas.affinity import (
    BUNDLE,
    HALVINGS,
    Recommendations,
    TasteRow,
    Together,
    encode_row,
    pack,
    partition_of,
    unpack_one_related,
    unpack_popular,
    unpack_related,
)
from schemas.positions import GENERATION_SHIFT
from schemas.topics import (
    AFFINITY,
    AFFINITY_GENERATION,
    LIKED_TOGETHER,
    REBUILDS_APART,
    RECOMMENDATIONS,
    RELATED,
)
from streams.affinity import tastes
from streams.affinity.pairs import Likes
from streams.affinity.reading import RANK_BYTES, Winner, judge, unpack_winner
from streams.affinity.suggest import Known, suggest
from streams.state import Counts, Drained, Pairs, Records, Target

MOST_EVENTS = 4_000
"""Of a user, that are kept: the latest."""
MOST_NEAR = 64
"""Neighbours of an item that a partition tells."""
LISTS_A_FLUSH = 100
"""Lists that a partition makes in one flush at most, each about a third of a millisecond; who is left waits for the
next flush. They are best effort."""
LIVELY = 2_000
"""Users of a partition whose lists are made again when what is related changes: those who were active last."""
_ITEM, _REGION, _CLOCK = b"\1i", b"\1r", b"\1t"
"""How keys of the changelog begin that are not a winner's, which have a zero byte."""
_KEPT_WEEKS = HALVINGS + tastes.SLACK
_K = TypeVar("_K")


class User:
    """One user's part."""

    __slots__ = ("entities", "likes", "seen", "weeks")

    def __init__(self) -> None:
        self.entities: dict[bytes, bytes] = {}
        """By subject and entity, as in the changelog."""
        self.weeks: tastes.Weeks = {}
        self.likes = Likes()
        self.seen: dict[str, int] = {}
        """Item → how many events show it."""


class Item:
    """One item's part, by the users of this partition."""

    __slots__ = ("claims", "near", "users")

    def __init__(self) -> None:
        self.users = 0
        """Who like it."""
        self.near: dict[str, int] = {}
        self.claims: dict[tuple[str, str], int] = {}
        """(creator, category) → how many winners say so: the greatest holds, should they disagree."""


class Affinity:
    """The state of one partition (streams.state.PartitionState)."""

    def __init__(self, partition: int = 0, partitions: int = 1) -> None:
        self.partition, self.partitions = partition, partitions
        self.users: dict[bytes, User] = {}
        """The one who was active last comes last."""
        self.items: dict[str, Item] = {}
        self.known = Known()
        self.week = 0
        """The latest that any event lies in."""
        self.clock_ms = 0
        self._state: dict[bytes, bytes | None] = {}
        self._changed: dict[bytes, None] = {}
        """Users whose tastes are to be told."""
        self._waiting: dict[bytes, None] = {}
        """Users whose lists are to be made."""
        self._lively: dict[bytes, int] = {}
        """Users who were active last, the last at the end → a hash of the list that they were told, 0 for none."""
        self._gone: Pairs = []
        """Tombstones of erased users' rows."""
        self._moved: dict[str, None] = {}
        """Items whose counts are to be told."""

    # -- streams.state.PartitionState

    def restore(self, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take winners, and what is related, from the changelog; all else is made from them again."""
        for key, value in zip(keys, values, strict=True):
            if b"\0" not in key:
                self._restore_known(key, value)
                continue
            subject = key.partition(b"\0")[0]
            user = self.users.get(subject) or self._new_user(subject)
            old = user.entities.pop(key, None)
            if old is not None:
                self._count(user, unpack_winner(old), -1)
            if value is not None:
                user.entities[key] = value
                self._count(user, unpack_winner(value), 1)
            elif not user.entities:
                del self.users[subject]
        self._moved.clear()

    def fold(self, records: Records) -> Counts:
        """Fold records of `views` or `related`. Raising leaves the state as it was."""
        if records.topic == RELATED.name:
            return self._learn(records)
        decided = judge(records)
        self.clock_ms = max(self.clock_ms, *records.timestamps)
        applied = duplicate = superseded = 0
        for one in decided:
            if one is None:
                continue
            user = self.users.get(one.subject) or self._new_user(one.subject)
            old = user.entities.get(one.key)
            if old is not None:
                if one.packed[:RANK_BYTES] == old[:RANK_BYTES]:
                    duplicate += 1
                    continue
                if one.packed < old[:RANK_BYTES]:
                    superseded += 1
                    continue
                self._count(user, unpack_winner(old), -1)
            applied += 1
            user.entities[one.key] = self._state[one.key] = one.packed
            self._count(user, one.winner, 1)
            self._changed[one.subject] = None
        return Counts(applied, duplicate, superseded, len(decided) - applied - duplicate - superseded)

    def erase(self, find: Callable[[Iterable[str]], list[str]]) -> None:
        """Take out all winners of the users that `find` picks, and what they were told: pairs are as if they had never
        liked anything."""
        for found in find([subject.decode() for subject in self.users]):
            subject = found.encode()
            user = self.users[subject]
            for key, value in list(user.entities.items()):
                del user.entities[key]
                self._state[key] = None
                self._count(user, unpack_winner(value), -1)
            del self.users[subject]
            for each in (self._changed, self._waiting, self._lively):
                each.pop(subject, None)
            self._gone.append((subject, None))

    def drain(self, version: int) -> Drained:
        """What changed since the last drain: winners, tastes, counts, and lists as far as there is time for them."""
        for subject in self._changed:
            self._trim(self.users[subject])
            self.users[subject] = self.users.pop(subject)
            self._lively[subject] = self._lively.pop(subject, 0)
            self._waiting[subject] = None
        for subject in _first(self._lively, len(self._lively) - LIVELY):
            del self._lively[subject]
        self._forget()
        made = {s: tastes.row(self.users[s].weeks, s.decode(), version) for s in self._changed}
        told: Pairs = [(subject, encode_row(row)) for subject, row in made.items()]
        gone, self._gone = self._gone, []
        lists = self._lists(version, made)
        rows: dict[Target, Pairs] = {AFFINITY.name: told + gone, RECOMMENDATIONS.name: lists + gone}
        rows |= self._told_items(version)
        drained = Drained([*self._state.items(), (_CLOCK, b"%d" % self.clock_ms)], rows)
        self._state, self._changed, self._moved = {}, {}, {}
        return drained

    # -- winners

    def _new_user(self, subject: bytes) -> User:
        user = self.users[subject] = User()
        return user

    def _count(self, user: User, winner: Winner, sign: int) -> None:
        """Add what a winner says, or take it out."""
        if not winner.content:
            return
        tastes.add(user.weeks, winner, sign)
        self.week = max(self.week, tastes.week_of(winner.ms))
        content = winner.content
        _add(user.seen, content, sign)
        claim = (winner.creator or "", winner.category or "")
        if not winner.is_liked and claim == ("", ""):
            return
        item = self.items.get(content)
        if item is None:
            item = self.items[content] = Item()
        before = max(item.claims, default=None)
        _add(item.claims, claim, sign)
        if before != max(item.claims, default=None):
            self._moved[content] = None
        if winner.is_liked:
            if sign > 0:
                item.users += user.likes.add(content, winner.ms, self._pair)
            else:
                item.users -= user.likes.remove(content, winner.ms, self._pair)
            self._moved[content] = None

    def _pair(self, one: str, other: str, sign: int) -> None:
        for left, right in ((one, other), (other, one)):
            _add(self.items[left].near, right, sign)
            self._moved[left] = None

    def _trim(self, user: User) -> None:
        """Drop what counts no more: it is too old beside the user's latest event, or there are too many after it."""
        if not user.weeks:
            return
        last = max(user.weeks)
        if min(user.weeks) > last - _KEPT_WEEKS and len(user.entities) <= MOST_EVENTS:
            return
        held = sorted(((unpack_winner(value), key) for key, value in user.entities.items()), key=_by_time, reverse=True)
        for place, (winner, key) in enumerate(held):
            if place >= MOST_EVENTS or tastes.week_of(winner.ms) <= last - _KEPT_WEEKS:
                del user.entities[key]
                self._state[key] = None
                self._count(user, winner, -1)

    def _forget(self) -> None:
        """Drop users who were silent for longer than anything counts; what was told of them last stays stored."""
        until = self.week - _KEPT_WEEKS
        for subject in _first(self.users, 8):
            user = self.users[subject]
            if subject in self._changed or _latest_week(user) > until:
                self.users[subject] = self.users.pop(subject)
                continue
            for key, value in user.entities.items():
                self._state[key] = None
                self._count(user, unpack_winner(value), -1)
            del self.users[subject]
            self._waiting.pop(subject, None)
            self._lively.pop(subject, None)

    # -- items

    def _told_items(self, version: int) -> dict[Target, Pairs]:
        """Counts of items that changed, each for the partition where the item's counts meet."""
        meet: dict[int, list[Together]] = {}
        for name in self._moved:
            item = self.items[name]
            near = _most_frequent(item.near)
            creator, category = max(item.claims, default=("", ""))
            told = Together(name, self.partition, version, item.users, creator or None, category or None, near)
            meet.setdefault(partition_of(name, self.partitions), []).append(told)
            if not item.claims:
                del self.items[name]  # nobody has seen it
        key = b"%d" % self.partition
        return {
            (LIKED_TOGETHER.name, to): [(key, pack(some[at : at + BUNDLE])) for at in range(0, len(some), BUNDLE)]
            for to, some in meet.items()
        }

    # -- lists

    def _learn(self, records: Records) -> Counts:
        """Take what is related, and what trends, of all partitions."""
        bundles = [unpack_related(value or b"") for value in records.values]
        applied = 0
        for items, popular in bundles:
            news = False
            for item in items:
                if _is_ours(item.version) and self.known.take(item):
                    self._state[_ITEM + item.item.encode()] = pack(item) if item.users else None
                    news = True
            for each in popular:
                if _is_ours(each.version) and self.known.take_popular(each):
                    self._state[_REGION + each.region.encode()] = pack(each)
                    news = True
            applied += news
        if applied:
            self._waiting |= dict.fromkeys(self._lively)
        return Counts(applied, superseded=len(bundles) - applied)

    def _restore_known(self, key: bytes, value: bytes | None) -> None:
        name = key[2:].decode()
        if key == _CLOCK:
            self.clock_ms = int(value or b"0")
        elif key.startswith(_REGION):
            if value is not None:
                self.known.take_popular(unpack_popular(value))
        elif value is None:
            self.known.forget(name)
        else:
            self.known.take(unpack_one_related(value))

    def _lists(self, version: int, made: Mapping[bytes, TasteRow]) -> Pairs:
        """Lists of users who were active, or for whom there is something new, first come first served."""
        rows: Pairs = []
        for subject in _first(self._waiting, LISTS_A_FLUSH):
            del self._waiting[subject]
            user = self.users.get(subject)
            if user is None:
                continue
            likes = made.get(subject) or tastes.row(user.weeks, "", version)
            entries = suggest(likes, user.likes.order, user.seen, self.known)
            told = hash(encode_row(entries)) or 1
            if told != self._lively.get(subject):
                row = Recommendations(subject.decode(), version, self.clock_ms, entries)
                rows.append((subject, encode_row(row)))
            if subject in self._lively:
                self._lively[subject] = told
        return rows


def _first(of: Iterable[bytes], count: int) -> list[bytes]:
    return list(islice(of, max(0, count)))


def _add(counts: dict[_K, int], key: _K, by: int) -> None:
    total = counts.get(key, 0) + by
    if total:
        counts[key] = total
    else:
        del counts[key]


def _latest_week(user: User) -> int:
    if user.weeks:
        return max(user.weeks)
    return max(tastes.week_of(unpack_winner(value).ms) for value in user.entities.values())  # deletes


def _most_frequent(near: Mapping[str, int]) -> list[tuple[str, int]]:
    """The MOST_NEAR most frequent, equals in the order of their names; in no order among themselves."""
    if len(near) <= MOST_NEAR:
        return list(near.items())
    least = sorted(near.values(), reverse=True)[MOST_NEAR - 1]
    found = [pair for pair in near.items() if pair[1] > least]
    equals = sorted(name for name, both in near.items() if both == least)
    return found + [(name, least) for name in equals[: MOST_NEAR - len(found)]]


def _by_time(held: tuple[Winner, bytes]) -> tuple[int, bytes]:
    return held[0].ms, held[1]


def _is_ours(version: int) -> bool:
    """Whether it is of this generation (DESIGN §8 rule 11)."""
    return (version >> GENERATION_SHIFT) % REBUILDS_APART == AFFINITY_GENERATION
