"""One partition's ledger with everything around it that a load needs, in memory: topics, changelog, ClickHouse, loader.

Each part does its next step when it is told to, so a test decides what races with what, and what crashes when.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from events import RECEIVED_MS, encode, events
from hypothesis import strategies as st

from schemas.codec import reader
from schemas.families import FAMILY_OF
from schemas.instants import MS_PER_DAY
from schemas.ledger import RANK_BYTES
from schemas.loads import Mark, Part, decode_ask, parts_of
from schemas.loads import encode as pack
from schemas.rows import DailyRow, decode_daily
from schemas.suppression import Erased
from schemas.topics import DAILY, DAILY_INPUTS, LEDGER, LOADED, LOADS, SUPPRESSED
from streams.daily.core import Ledger
from streams.daily.users import Users
from streams.runtime.partition import OwnedPartition
from streams.state import Records

TOPICS = [topic.name for topic in DAILY_INPUTS]
SECRET = "an installation's key of 32 bytes"
FLOOR_2026_03_15 = RECEIVED_MS // MS_PER_DAY - 20_527
"""Days of the hot window with which, at RECEIVED_MS, days before 2026-03-15 are old."""


class World:
    """What is written stays; what is not committed is gone at a crash."""

    def __init__(self, users: Callable[[], Users] = Users) -> None:
        self.users = users
        self.quiet_ms = 0
        self.topics: dict[str, list[tuple[int, bytes | None, bytes]]] = {name: [] for name in TOPICS}
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.flushes: list[tuple[int, list[tuple[bytes, bytes | None]]]] = []
        self.asks: list[tuple[str, int]] = []
        self.answered = 0
        self.rows: dict[tuple[str, str], DailyRow] = {}
        self.clickhouse: dict[bytes, bytes] = {}
        self.held = 0
        """Flushes that ClickHouse holds."""
        self._start()

    def _start(self) -> None:
        self.ledger = Ledger(0, FLOOR_2026_03_15, self.users(), sweep_days=1, quiet_ms=self.quiet_ms)
        erased = Erased(SECRET)  # as a worker reads it before it begins
        for _, key, value in self.topics[SUPPRESSED.name]:
            erased.take(key, value)
        self.partition = OwnedPartition(0, LEDGER.name, 1, self.ledger, erased=erased)

    def crash(self) -> None:
        """Everything that was not committed is gone; the next owner reads the changelog."""
        self._start()
        # Compacted, as far as it may be: the last record of each key, in the order of the last.
        last = {key: at for at, (key, _) in enumerate(self.changelog)}
        kept = [pair for at, pair in enumerate(self.changelog) if last[pair[0]] == at]
        if kept:
            self.partition.restore([key for key, _ in kept], [value for _, value in kept], len(self.changelog))

    def send(self, event: dict[str, Any]) -> None:
        raw = encode(event)
        self.topics[FAMILY_OF[event["type"]]].append((RECEIVED_MS, event["subject"].encode(), raw))

    def erase(self, subject: str) -> None:
        """Somebody is put on the list."""
        self.topics[SUPPRESSED.name].append((RECEIVED_MS, *Erased(SECRET).record(subject.encode(), RECEIVED_MS)))

    def fold(self, topic: str, most: int = 1_000) -> int:
        """Fold what is on the topic and was not; returns how many records."""
        if topic not in self.partition.positions:
            self.partition.open(topic, f"id of {topic}", 0)
        at = self.partition.positions[topic].next_offset
        some = self.topics[topic][at : at + most]
        if some:
            stamps, keys, values = zip(*some, strict=True)
            offsets = range(at, at + len(some))
            self.partition.fold(Records(topic, 0, offsets, stamps, keys, values), at + len(some))
        return len(some)

    def commit(self) -> None:
        """One transaction."""
        flush = self.partition.drain()
        version = 1 << 40 | flush.number
        self.changelog += flush.records[LEDGER.name]
        self.flushes.append((version, flush.records[LEDGER.name]))
        self.asks += [(key.decode(), decode_ask(value or b"").number) for key, value in flush.records[LOADS.name]]
        for key, value in flush.records[DAILY.name]:
            if value is None:
                user_id, _, date = key.decode().rpartition("|")
                self.rows.pop((user_id, date), None)
                continue
            row = decode_daily(value)
            row.version = 0
            self.rows[row.user_id, row.date] = row

    def store(self, most: int = 1_000) -> None:
        """ClickHouse's sink takes flushes: winners by rule 1, nothing is ever deleted."""
        for _, pairs in self.flushes[self.held : self.held + most]:
            for key, value in pairs:
                if value is not None and key[0]:
                    old = self.clickhouse.get(key, b"")
                    self.clickhouse[key] = max(old, value, key=lambda winner: winner[:RANK_BYTES])
        self.held = min(len(self.flushes), self.held + most)

    @property
    def stored(self) -> int:
        return self.flushes[self.held - 1][0] if self.held else 0

    def mark(self, days_later: int = 0) -> None:
        """The loader says what ClickHouse holds."""
        self.topics[LOADED.name].append((RECEIVED_MS + days_later * MS_PER_DAY, None, pack(Mark(self.stored))))

    def read(self, which: int) -> list[Part]:
        """The loader reads ClickHouse for a question, again perhaps; nothing while ClickHouse lags behind it."""
        subject, number = self.asks[which]
        if self.stored < number:
            return []
        prefix = subject.encode() + b"\0"
        found = [(k, w) for k, w in sorted(self.clickhouse.items()) if k.startswith(prefix) and b"\0p\0" not in k]
        return list(parts_of(number, f"attempt {len(self.topics[LOADED.name])}", found, 200))

    def say(self, subject: str, parts: list[Part]) -> None:
        self.topics[LOADED.name] += [(RECEIVED_MS, subject.encode(), pack(part)) for part in parts]

    def answer(self, which: int) -> bool:
        parts = self.read(which)
        self.say(self.asks[which][0], parts)
        return bool(parts)

    def heal(self) -> None:
        """Everybody does its work until nothing is left to do."""
        for _ in range(20):
            while sum(self.fold(topic) for topic in TOPICS):
                self.commit()
            self.commit()
            self.store()
            while self.answered < len(self.asks):
                assert self.answer(self.answered)
                self.answered += 1
            if not self.ledger.old.pending and not any(self.unread(topic) for topic in TOPICS):
                return
        raise AssertionError(f"still waiting: {self.ledger.old.pending}")

    def unread(self, topic: str) -> int:
        position = self.partition.positions.get(topic)
        return len(self.topics[topic]) - (position.next_offset if position else 0)

    def live_rows(self) -> dict[tuple[str, str], DailyRow]:
        """What a reader of the daily topic knows; an all-null row equals no row."""
        return {key: row for key, row in self.rows.items() if not row.is_null}

    def check_conservation(self) -> None:
        for topic in TOPICS:
            position = self.partition.positions.get(topic)
            if position is None:
                continue
            became = position.applied + position.duplicate + position.superseded + position.rejected
            assert position.received == became + position.pending
            assert position.pending >= 0
            waiting = [k for keys in self.ledger.old.pending.values() for k in keys if _topic(k) == topic]
            assert self.partition.dirty or position.pending == len(waiting), "settled at the commit"


def _topic(key: bytes) -> str:
    letter = key.split(b"\0")[1]
    return {b"w": "workouts", b"m": "meals", b"b": "body", b"p": "plans"}[letter]


def batch_rows(history: list[dict[str, Any]]) -> dict[tuple[str, str], DailyRow]:
    """One pass over all events by a ledger that forgets nothing."""
    ledger = Ledger()
    by_topic: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in history:
        by_topic[FAMILY_OF[event["type"]]].append(event)
    for topic, some in by_topic.items():
        raw = [encode(event) for event in some]
        keys = [json.loads(value)["subject"].encode() for value in raw]
        assert not [got for got in map(reader(topic), raw, [RECEIVED_MS] * len(raw)) if not isinstance(got, tuple)]
        ledger.fold(Records(topic, 0, range(len(raw)), [RECEIVED_MS] * len(raw), keys, raw))
    rows = {}
    for _, value in ledger.drain(0).rows[DAILY.name]:
        row = decode_daily(value or b"")
        row.version = 0
        rows[row.user_id, row.date] = row
    return {key: row for key, row in rows.items() if not row.is_null}


steps = st.one_of(
    st.tuples(st.just("send"), events),
    st.tuples(st.just("fold"), st.sampled_from(TOPICS)),
    st.tuples(st.just("fold all"), st.none()),
    st.tuples(st.just("commit"), st.none()),
    st.tuples(st.just("crash"), st.none()),
    st.tuples(st.just("store"), st.integers(1, 3)),
    st.tuples(st.just("store all"), st.none()),
    st.tuples(st.just("mark"), st.integers(0, 20)),
    st.tuples(st.just("evict"), st.integers(0, 20)),
    st.tuples(st.just("evict"), st.integers(0, 20)),
    st.tuples(st.just("answer"), st.integers(0, 5)),
    st.tuples(st.just("load"), st.none()),
    st.tuples(st.just("half an answer"), st.integers(0, 5)),
    st.tuples(st.just("keep an answer"), st.integers(0, 5)),
    st.tuples(st.just("late answers"), st.none()),
)


def run(world: World, history: list[dict[str, Any]], script: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Do the script; returns all events that were sent."""
    sent = list(history)
    kept: list[tuple[str, Any]] = []
    for event in history:
        world.send(event)
    for what, given_ in script:
        match what:
            case "send":
                world.send(given_)
                sent.append(given_)
            case "fold":
                world.fold(given_, 3)
            case "fold all":
                for topic in TOPICS:
                    world.fold(topic)
            case "commit":
                world.commit()
            case "crash":
                world.crash()
            case "store":
                world.store(given_)
            case "store all":
                world.store()
            case "mark":
                world.mark(given_)
            case "evict":  # everything happens as it does when nobody hurries
                for topic in TOPICS:
                    world.fold(topic)
                world.commit()
                world.store()
                world.mark(given_)
                world.fold("loaded")
                world.commit()
            case "load":
                world.store()
                for which in range(len(world.asks)):
                    world.answer(which)
                world.fold("loaded")
            case "late answers":
                for subject, parts in kept:
                    world.say(subject, parts)
            case _ if world.asks:
                which = given_ % len(world.asks)
                parts = world.read(which)
                if what == "keep an answer":
                    kept.append((world.asks[which][0], parts))
                else:
                    world.say(world.asks[which][0], parts[:-1] if what == "half an answer" else parts)
        world.check_conservation()
    return sent
