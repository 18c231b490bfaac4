"""The pure parts of the sinks: chunking, where to start, patience, what records become, which migrations are due."""

from __future__ import annotations

import asyncio
import doctest
import gc
import importlib
import pkgutil
from dataclasses import dataclass
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sink_kit import null_row, raw_event, row

import sinks
from schemas import topics
from schemas.ledger import KIND_OF_TYPE, Winner, entity_key, pack_contribution, pack_winner
from schemas.loads import floor_key
from schemas.positions import Position, encode_position
from schemas.refusal import WRONG_KEY
from schemas.rows import DailyRow, RejectedRow, encode_row
from sinks import aside, chunking, garbage
from sinks.base import Refusal, Refused, Retry, Sink, Stop
from sinks.batch import Batch, EntityRow, PositionRow
from sinks.intake import Taken, take
from sinks.memory import MemorySink
from sinks.migrate import Migration, MigrationError, migrations, pending, statements
from sinks.patience import LONGEST_S, Patience, delays
from sinks.start import Committed, start

MODULES = [m.name for m in pkgutil.walk_packages(sinks.__path__, "sinks.")]
rows = st.lists(
    st.builds(row, st.sampled_from("abc"), st.integers(0, 5), st.sampled_from(["2026-03-01", "2026-03-02"]))
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@given(rows)
def test_a_chunk_keeps_the_highest_version_of_each_key_in_key_order(many: list[DailyRow]) -> None:
    kept = chunking.newest_daily(many)
    assert [(r.user_id, r.date) for r in kept] == sorted({(r.user_id, r.date) for r in many})
    for each in kept:
        assert each.version == max(r.version for r in many if (r.user_id, r.date) == (each.user_id, each.date))


@given(rows, st.randoms())
def test_a_memory_of_rows_does_not_depend_on_order_or_batches(many: list[DailyRow], chance: Random) -> None:
    def fold(these: list[DailyRow]) -> dict[tuple[str, str], int]:
        sink, rest = MemorySink(), list(these)
        while rest:
            size = chance.randint(1, 4)
            asyncio.run(sink.write(Batch(daily=rest[:size])))
            rest = rest[size:]
        return {key: r.version for key, r in sink.daily.items()}

    shuffled = [*many, *many]
    chance.shuffle(shuffled)
    assert fold(many) == fold(shuffled)


def made(revision: int, deleted: bool = False, digest: bytes = b"d" * 16) -> Winner:
    kind = KIND_OF_TYPE["meal.deleted" if deleted else "water.logged"]
    return Winner(revision, deleted, digest, 1, None, kind, "ios/1", None, () if deleted else (250,), None)


def test_of_an_entity_the_greatest_by_rule_1_stays() -> None:
    entity = ("u", "body", "w", None)
    low, high = EntityRow(*entity, made(2, digest=b"a" * 16)), EntityRow(*entity, made(2, digest=b"b" * 16))
    gone, old = EntityRow(*entity, made(2, deleted=True)), EntityRow(*entity, made(1, deleted=True))
    assert chunking.winners([high, low, old]) == [high]
    assert chunking.winners([gone, high, low]) == [gone]


def test_the_furthest_position_stays_and_a_new_generation_goes_before_all() -> None:
    at = [PositionRow("meals", 0, Position(g, flush, "id", n)) for g, flush, n in ((1, 9, 90), (2, 1, 5), (1, 10, 99))]
    assert chunking.latest(at) == [at[1]]


@given(rows)
def test_halves_hold_all_rows_once_and_no_positions(many: list[DailyRow]) -> None:
    whole = Batch(daily=many, positions=[PositionRow("t", 0, Position(1, 1, "id", 1))], through={("daily", 0): 7})
    left, right = whole.halves()
    assert left.rows() + right.rows() == whole.rows()
    assert abs(len(left) - len(right)) <= 1
    assert left.through == right.through == {}


class Fussy(MemorySink):
    """Refuses some users, and is away for the first writes."""

    def __init__(self, away: int = 0) -> None:
        super().__init__()
        self.away = away
        self.through: dict[tuple[str, int], int] = {}

    async def write(self, batch: Batch) -> None:
        if self.away > 0:
            self.away -= 1
            raise Retry("away")
        if any(r.user_id.startswith("bad") for r in batch.daily):
            raise Refused("no bad ones")
        self.through |= batch.through
        await super().write(batch)


@given(st.lists(st.sampled_from(["good1", "good2", "good3", "bad1", "bad2"]), max_size=12))
def test_exactly_the_refused_rows_are_set_aside(names: list[str]) -> None:
    sink = Fussy()
    batch = Batch(daily=[row(name, i) for i, name in enumerate(names)], through={("daily", 0): 9})
    refused = asyncio.run(aside.write(sink, batch))
    assert [r.user_id for r, _ in refused] == [name for name in names if name.startswith("bad")]
    assert {user for user, _ in sink.daily} == {name for name in names if name.startswith("good")}
    assert sink.through == {("daily", 0): 9}


def test_positions_are_not_stored_before_all_rows_are() -> None:
    sink = Fussy(away=1)
    with pytest.raises(Retry):
        asyncio.run(aside.write(sink, Batch(daily=[row("good", 1)], through={("daily", 0): 9})))
    assert sink.through == {}


def test_a_sink_that_sets_aside_too_much_stops() -> None:
    limit = aside.Limit()
    for _ in range(100):
        limit.count(10_000, 500)
    with pytest.raises(Stop, match="rows were refused"):
        limit.count(10_000, 2_000)


def test_a_few_refused_rows_are_no_reason_to_stop_however_few_rows_there_are() -> None:
    limit = aside.Limit()
    for _ in range(aside.SOME):
        limit.count(1, 1)
    with pytest.raises(Stop):
        limit.count(1, 1)


def test_the_collector_is_as_before_when_a_sink_has_left() -> None:
    before = gc.get_threshold()
    with garbage.seldom():
        assert gc.get_threshold() == garbage.THRESHOLDS
    assert gc.get_threshold() == before


def test_delays_grow_to_a_limit_and_differ() -> None:
    these = list(islice(delays(Random(1)), 50))
    assert max(these) <= LONGEST_S
    assert min(these[10:]) >= LONGEST_S / 2
    assert len(set(these)) == 50


async def test_a_store_that_stays_away_at_the_start_is_a_stop_with_its_reason() -> None:
    async def act() -> None:
        raise Retry("PostgreSQL at x: connection refused")

    with pytest.raises(Stop, match="connection refused"):
        await Patience("postgres", asyncio.Event()).until_done(act, give_up_after_s=0)


async def test_patience_ends_when_told_to_stop() -> None:
    stop = asyncio.Event()

    async def act() -> None:
        stop.set()
        raise Retry("away")

    assert await Patience("postgres", stop).until_done(act) is None


def test_reading_starts_at_the_lower_of_what_group_and_store_say() -> None:
    place = {"topic": "daily", "partition": 0, "begin": 0, "end": 100}
    at = Committed(60, "a")
    assert start(**place, committed=None, resume=0) == 0
    assert start(**place, committed=at, resume=60) == 60
    assert start(**place, committed=at, resume=0) == 0
    assert start(**place, committed=at, resume=60, topic_id="a") == 60
    assert start(**place, committed=Committed(60), resume=60, topic_id="a") == 60, "who committed did not know the id"
    assert start(**{**place, "begin": 50}, committed=at, resume=0) == 50


def test_a_sink_refuses_a_topic_that_does_not_hold_what_it_stands_on() -> None:
    at = Committed(60, "a")
    with pytest.raises(Refusal, match=r"daily/3 ends at 5, but this sink has read up to 60"):
        start("daily", 3, committed=at, resume=60, begin=0, end=5, topic_id="a")
    with pytest.raises(Refusal, match=r"daily was deleted and made again .its id was a and is b\):"):
        start("daily", 3, committed=at, resume=60, begin=0, end=100, topic_id="b")
    with pytest.raises(Refusal, match=r"meals/3 now starts at offset 70 .* up to 60: 10 offsets were deleted"):
        start("meals", 3, committed=at, resume=60, begin=70, end=100, topic_id="a")


@dataclass
class Rec:
    offset: int
    value: bytes | None
    key: bytes | None = b"u"
    timestamp: int = 1_800_000_000_000
    headers: tuple[tuple[str, bytes | None], ...] = ()


def taken(topic: str, *records: Rec) -> Taken:
    into = Taken()
    take(into, topic, 2, records)
    return into


def test_daily_rows_are_read_and_what_is_none_is_reported() -> None:
    day = null_row("u", 7)
    found = taken("daily", Rec(1, encode_row(day)), Rec(2, b"{}"), Rec(3, None))
    assert found.batch.daily == [day]
    assert [(bad.topic, bad.partition, bad.offset) for bad in found.unreadable] == [("daily", 2, 2)]


def test_refused_events_are_read_back_with_their_bytes() -> None:
    refused = RejectedRow("meals", 0, 5, 1, "Not JSON", "$", b"\xff\x00", None)
    assert taken("rejected", Rec(1, encode_row(refused))).batch.rejected == [refused]


def test_events_pass_when_accepted_and_the_key_is_the_subject() -> None:
    good = raw_event(type="meal.logged", subject="u", data={"meal_type": "tea"})
    found = taken("meals", Rec(1, good), Rec(2, b"no"), Rec(3, good, key=b"v"), Rec(4, None), Rec(5, good, key=None))
    assert [(r.topic, r.partition, r.offset, r.raw) for r in found.batch.events] == [("meals", 2, 1, good)]
    assert found.refused_views == []


def test_refused_views_are_handed_on_because_no_stream_files_them() -> None:
    good = raw_event(type="view.recorded", subject="u", data={"content": "v", "watched_s": 1})
    found = taken("views", Rec(1, good), Rec(2, b"no"), Rec(3, good, key=b"v"))
    assert [r.offset for r in found.batch.events] == [1]
    assert [(r.topic, r.partition, r.offset, r.raw, r.key) for r in found.refused_views] == [
        ("views", 2, 2, b"no", b"u"),
        ("views", 2, 3, good, b"v"),
    ]
    assert found.refused_views[1].reason == WRONG_KEY.reason


def test_the_changelog_gives_winners_and_positions() -> None:
    key = entity_key("u", "body", "w")
    packed = [pack_winner(n, False, b"d" * 16, 5, 60, 2, "ios/1", None, pack_contribution((n,))) for n in (1, 2)]
    at = Position(1, 9, "id", 77, received=3, applied=3)
    position_key, position = encode_position("body", at)
    found = taken(
        topics.LEDGER.name,
        *(Rec(n, value, key) for n, value in enumerate(packed)),
        Rec(2, position, position_key),
        Rec(3, b"5", floor_key("u", 0)),
        Rec(4, None, entity_key("u", "body", "forgotten")),
    )
    (entity,) = found.batch.entities
    assert (entity.subject, entity.family, entity.entity, entity.register) == ("u", "body", "w", None)
    assert (entity.winner.revision, entity.winner.values) == (2, (2,))
    assert found.batch.positions == [PositionRow("body", 2, at)]
    assert not found.unreadable, "what the worker keeps for itself is passed over"


def test_a_winner_that_cannot_be_read_is_never_passed_over() -> None:
    with pytest.raises(Stop, match="cannot read: b'u"):
        taken(topics.LEDGER.name, Rec(3, b"junk", entity_key("u", "body", "x")))


def test_only_what_is_missing_is_applied_in_order() -> None:
    files = [Migration("0001_a.sql", "A"), Migration("0002_b.sql", "B"), Migration("0003_c.sql", "C")]
    applied = {m.name: m.checksum for m in files[:1]}
    assert pending("postgres", files, applied) == files[1:]


def test_an_applied_file_that_was_edited_is_an_error_that_names_it() -> None:
    applied = {"0001_a.sql": Migration("0001_a.sql", "A").checksum}
    with pytest.raises(MigrationError, match=r"postgres/0001_a\.sql was changed after it was applied"):
        pending("postgres", [Migration("0001_a.sql", "A ")], applied)


def test_a_database_that_is_newer_than_this_version_is_an_error() -> None:
    with pytest.raises(MigrationError, match=r"0002_b\.sql"):
        pending("clickhouse", [Migration("0001_a.sql", "A")], {"0002_b.sql": "?"})


def test_migrations_are_numbered_without_gaps() -> None:
    for store in ("postgres", "clickhouse"):
        numbers = [int(m.name[:4]) for m in migrations(store)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_statements_end_with_a_semicolon_at_the_end_of_a_line() -> None:
    sql = "-- a; comment;\nCREATE TABLE a (x String COMMENT 'a; b');\n\n-- more\nSELECT 1\n;\n"
    assert statements(sql) == ["CREATE TABLE a (x String COMMENT 'a; b')", "SELECT 1"]


def test_every_role_builds_a_sink_that_keeps_the_promise_in_form() -> None:
    for role, url in (("postgres", "postgresql://x"), ("clickhouse", "http://x"), ("redis", "redis://x")):
        sink: Sink = sinks.build(role, url)
        assert sink.role == role
        assert set(sink.topics) <= {topic.name for topic in topics.TOPICS}
    with pytest.raises(ValueError, match="there is no sink called 'mongo'"):
        sinks.build("mongo", "")
