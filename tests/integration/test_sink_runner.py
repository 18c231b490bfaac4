"""The consumer loop on a real Kafka: all of it stored, then committed, through outages, restarts and rebalances."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from redis.asyncio import Redis
from sink_kit import Kept, by_key, make, raw_event, row, user

from schemas import topics
from schemas.ledger import entity_key, pack_contribution, pack_winner
from schemas.positions import Position, encode_position
from schemas.rows import DailyRow, daily_key, encode_row
from sinks import runner
from sinks.base import Refused, Retry, Sink, Stop
from sinks.batch import Batch
from sinks.clickhouse.client import connected
from sinks.memory import MemorySink
from sinks.migrate import migrate
from sinks.runner import run_sink

PARTITIONS = 3


@pytest.fixture
async def kafka(stack: Any) -> str:
    """The broker, with all topics as they are declared."""
    client = AdminClient({"bootstrap.servers": stack.endpoints.kafka})
    there = client.list_topics(timeout=10).topics
    new = [NewTopic(t.name, PARTITIONS, 1, config=t.config) for t in topics.TOPICS if t.name not in there]
    for done in client.create_topics(new).values() if new else ():
        done.result()
    return str(stack.endpoints.kafka)


async def publish(kafka: str, *records: tuple[str, bytes | None, bytes | None], abort: bool = False) -> None:
    """(topic, key, value) in one transaction."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=uuid.uuid4().hex)
    await producer.start()
    try:
        await producer.begin_transaction()
        for topic, key, value in records:
            await producer.send(topic, value, key)
        await (producer.abort_transaction() if abort else producer.commit_transaction())
    finally:
        await producer.stop()


def daily(rows: Iterable[DailyRow]) -> list[tuple[str, bytes, bytes]]:
    return [("daily", daily_key(r), encode_row(r)) for r in rows]


@asynccontextmanager
async def running(sink: Sink, kafka: str, group: str) -> AsyncIterator[asyncio.Task[None]]:
    """The sink's loop, once it is ready; it is told to stop at the end, and must then end well."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_sink(sink, kafka, stop=stop, group=group, on_ready=ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiting], timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert ready.is_set() or task.done()
    try:
        yield task
        stop.set()
        await asyncio.wait_for(task, 20)
    finally:
        waiting.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError, Stop):
            await task


async def lag(kafka: str, group: str, names: Iterable[str]) -> dict[TopicPartition, tuple[int | None, int]]:
    """(committed, end) of every partition where they differ."""
    known = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
    places = [TopicPartition(name, number) for name in names for number in known[name].partitions]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(places)
        committed = dict(zip(places, await asyncio.gather(*map(consumer.committed, places)), strict=True))
    finally:
        await consumer.stop()
    return {place: (committed[place], ends[place]) for place in places if committed[place] != ends[place]}


async def until(seen: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not await seen():  # noqa: ASYNC110 it happens in a server
            await asyncio.sleep(0.1)


async def until_caught_up(kafka: str, group: str, names: Iterable[str]) -> None:
    left: dict[TopicPartition, tuple[int | None, int]] = {}

    async def caught_up() -> bool:
        nonlocal left
        left = await lag(kafka, group, names)
        return not left

    with suppress(TimeoutError):
        await until(caught_up)
    assert not left


def new_group() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


async def ready_sink(role: str, stack: Any) -> Kept:
    if role in ("postgres", "clickhouse"):
        await migrate(stack.endpoints.postgres, stack.endpoints.clickhouse)
    return make(role, stack.endpoints)


@pytest.mark.parametrize("role", ["memory", "postgres", "clickhouse", "redis"])
async def test_all_is_stored_and_every_position_comes_to_its_end(stack: Any, kafka: str, role: str) -> None:
    kept, group = await ready_sink(role, stack), new_group()
    rows = [row(user(), n, energy_kcal=n / 3) for n in range(1, 200)]
    ghost = row(user(), 1)
    await publish(kafka, *daily(rows[:100]))
    await publish(kafka, *daily([ghost]), abort=True)
    async with running(kept.sink, kafka, group):
        await until_caught_up(kafka, group, kept.sink.topics)  # also partitions that hold nothing, or only markers
        await publish(kafka, *daily(rows[100:]))
        await until_caught_up(kafka, group, kept.sink.topics)
        assert await kept.stored([*rows, ghost]) == by_key(rows)
    if role != "memory":
        again = make(role, stack.endpoints)  # the next worker goes on where this one left off
        more = row(user(), 1)
        async with running(again.sink, kafka, group):
            await publish(kafka, *daily([more]))
            await until_caught_up(kafka, group, kept.sink.topics)
            assert await again.stored([more]) == by_key([more])


async def test_clickhouse_gets_events_winners_and_positions(stack: Any, kafka: str) -> None:
    kept, group, who = await ready_sink("clickhouse", stack), new_group(), user()
    event = raw_event(type="meal.logged", subject=who, data={"meal_type": "tea"})
    changelog = topics.LEDGER.name
    winner = pack_winner(3, False, b"d" * 16, 5, 60, 2, "ios/1", None, pack_contribution((250,)))
    source = f"x-{uuid.uuid4().hex}"
    at = Position(1, 9, "id", 77, received=3, applied=2, duplicate=1)
    records = [
        ("meals", who.encode(), event),
        ("meals", who.encode(), b"{"),  # the daily stream files this one
        (changelog, entity_key(who, "body", "w"), winner),
        (changelog, *encode_position(source, at)),
    ]
    async with running(kept.sink, kafka, group):
        await publish(kafka, *records)
        await until_caught_up(kafka, group, kept.sink.topics)
    async with connected(stack.endpoints.clickhouse) as client:
        asked = {"who": who, "source": source}
        found = await client.query("SELECT raw FROM events_current WHERE subject = {who:String}", parameters=asked)
        assert [r.encode() for (r,) in found.result_rows] == [event]
        found = await client.query(
            "SELECT family, entity, revision, contribution FROM entities_current WHERE subject = {who:String}",
            parameters=asked,
        )
        assert found.result_rows == [("body", "w", 3, '{"water_ml":250}')]
        found = await client.query(
            "SELECT next_offset, received, applied, duplicate FROM positions_current WHERE topic = {source:String}",
            parameters=asked,
        )
        assert found.result_rows == [(77, 3, 2, 1)]


async def test_a_refused_view_is_filed_on_the_topic_of_the_refused(stack: Any, kafka: str) -> None:
    sink, group, who = MemorySink(), new_group(), user()
    bad = raw_event(type="view.recorded", subject=who, data={"content": "v"})
    async with running(sink, kafka, group):
        await publish(kafka, ("views", who.encode(), bad))
        await until_caught_up(kafka, group, sink.topics)
    (refused,) = [r for r in sink.rejected.values() if r.key == who.encode()]
    assert (refused.topic, refused.raw) == ("views", bad)
    assert "watched_s" in refused.reason


class Trouble(MemorySink):
    """A store with a mind of its own."""

    topics = ("daily",)
    rows_per_write = 50

    def __init__(self, *, flaky: float = 0.0, refuses: str = "\0") -> None:
        """`flaky`: how often it is away for a moment; `refuses`: users whose names begin so."""
        super().__init__()
        self.away = asyncio.Event()
        self.flaky, self.refuses = flaky, refuses
        self.chance = random.Random(1)
        self.tried = 0

    def was_tried(self, times: int) -> Callable[[], Awaitable[bool]]:
        """Whether so many writes have been tried from now on."""
        goal = self.tried + times

        async def tried() -> bool:
            return self.tried >= goal

        return tried

    async def write(self, batch: Batch) -> None:
        self.tried += 1
        if self.away.is_set() or self.chance.random() < self.flaky:
            raise Retry("away")
        if any(r.user_id.startswith(self.refuses) for r in batch.daily):
            raise Refused("no bad ones")
        await super().write(batch)


async def test_nothing_is_committed_while_the_store_is_away_and_nothing_is_lost(kafka: str) -> None:
    sink, group = Trouble(flaky=0.1), new_group()
    rows = [row(user(), n) for n in range(300)]
    async with running(sink, kafka, group):
        await until_caught_up(kafka, group, sink.topics)
        sink.away.set()
        await publish(kafka, *daily(rows))
        await until(sink.was_tried(3))
        assert await lag(kafka, group, sink.topics)
        sink.away.clear()
        await until_caught_up(kafka, group, sink.topics)
    assert {key: sink.daily.get(key) for key in by_key(rows)} == by_key(rows)


async def test_a_sink_told_to_stop_while_the_store_is_away_leaves_without_committing(kafka: str) -> None:
    sink, group = Trouble(flaky=0.1), new_group()
    rows = [row(user(), n) for n in range(300)]
    async with running(sink, kafka, group):
        await until_caught_up(kafka, group, sink.topics)
        sink.away.set()
        await publish(kafka, *daily(rows))
        await until(sink.was_tried(2))
    assert await lag(kafka, group, sink.topics)
    sink.away.clear()
    async with running(sink, kafka, group):
        await until_caught_up(kafka, group, sink.topics)
    assert {key: sink.daily.get(key) for key in by_key(rows)} == by_key(rows)


class Cut(Trouble):
    """Stores, and is cut off before anybody hears of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = asyncio.Event()

    async def write(self, batch: Batch) -> None:
        await super().write(batch)
        if batch.daily:
            self.stored.set()
            await asyncio.Event().wait()


async def test_what_was_stored_but_not_committed_is_written_again_by_the_same_member(kafka: str) -> None:
    cut, group = Cut(), new_group()
    rows = [row(user(), n) for n in range(30)]
    await publish(kafka, *daily(rows))
    task = asyncio.create_task(run_sink(cut, kafka, stop=asyncio.Event(), group=group, instance_id="one"))
    await asyncio.wait_for(cut.stored.wait(), 30)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert await end_of(kafka, group) == 0
    sink, stop = Trouble(), asyncio.Event()
    sink.daily = cut.daily  # the same store
    task = asyncio.create_task(run_sink(sink, kafka, stop=stop, group=group, instance_id="one"))
    await until_caught_up(kafka, group, ["daily"])
    stop.set()
    await task
    assert {key: sink.daily.get(key) for key in by_key(rows)} == by_key(rows)


async def test_a_refused_row_is_logged_with_its_reason_and_the_others_are_stored(
    kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink, group = Trouble(refuses=(odd := user())), new_group()
    good, bad = [row(user(), n) for n in range(40)], row(odd, 1)
    await publish(kafka, *daily([*good, bad]), ("daily", b"junk", b"[]"))
    async with running(sink, kafka, group):
        await until_caught_up(kafka, group, sink.topics)
    assert {key: sink.daily.get(key) for key in by_key(good)} == by_key(good)
    told = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert any("set aside" in line and "no bad ones" in line and repr(odd) in line for line in told)
    assert any("unreadable" in line and "junk" in line for line in told)


async def test_a_sink_that_refuses_too_much_stops_instead_of_draining_the_topic(kafka: str) -> None:
    sink, group, before = Trouble(refuses=(odd := user())), new_group(), 0

    async def feed_it() -> None:
        nonlocal before
        async with running(sink, kafka, group) as task:
            await until_caught_up(kafka, group, sink.topics)
            before = await end_of(kafka, group)
            await publish(kafka, *daily([row(f"{odd}{n}", n) for n in range(2_000)]))
            await asyncio.wait_for(asyncio.shield(task), 30)

    with pytest.raises(Stop, match="rows were refused"):
        await feed_it()
    assert await end_of(kafka, group) - before < 1_500


async def end_of(kafka: str, group: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        await consumer.topics()
        return sum([await consumer.committed(TopicPartition("daily", p)) or 0 for p in range(PARTITIONS)])
    finally:
        await consumer.stop()


async def test_two_members_share_the_work_and_one_takes_over_when_the_other_leaves(kafka: str) -> None:
    both, group = [Trouble(flaky=0.1), Trouble(flaky=0.1)], new_group()
    rows = [row(user(), n) for n in range(600)]

    def stored() -> dict[Any, DailyRow]:
        return {k: r for s in both for k, r in s.daily.items() if k in by_key(rows)}

    async with running(both[0], kafka, group):
        async with running(both[1], kafka, group):
            for n in range(0, 400, 100):
                await publish(kafka, *daily(rows[n : n + 100]))
            await until_caught_up(kafka, group, ["daily"])
            assert stored() == by_key(rows[:400])
        await publish(kafka, *daily(rows[400:]))
        await until_caught_up(kafka, group, ["daily"])
    assert stored() == by_key(rows)
    assert set(by_key(rows[400:])) <= set(both[0].daily)


async def test_an_emptied_redis_is_filled_again(stack: Any, kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LOOK_S", 0.5)
    url = urlunsplit(urlsplit(stack.endpoints.redis)._replace(path="/9"))
    endpoints = type("E", (), {"redis": url})
    kept, group = make("redis", endpoints), new_group()
    rows = [row(user(), n) for n in range(500)]
    async with Redis.from_url(url) as client:
        await client.flushdb()
        await publish(kafka, *daily(rows[:300]))
        async with running(kept.sink, kafka, group):
            await until_caught_up(kafka, group, ["daily"])
            await client.flushdb()  # while rows flow
            await publish(kafka, *daily(rows[300:]))
            await until(lambda: holds(kept, rows))
            await client.flushdb()  # while all is quiet
            await until(lambda: holds(kept, rows))
            await until_caught_up(kafka, group, ["daily"])
        await client.flushdb()  # while nobody is there
        again = make("redis", endpoints)
        async with running(again.sink, kafka, group):
            await until(lambda: holds(again, rows))
        await client.flushdb()


async def holds(kept: Kept, rows: list[DailyRow]) -> bool:
    return await kept.stored(rows) == by_key(rows)


async def test_a_missing_topic_and_a_missing_broker_are_one_clear_line(kafka: str) -> None:
    class Lost(MemorySink):
        topics = ("no-such-topic",)

    with pytest.raises(Stop, match=r"has no topic no-such-topic: run daybook migrate"):
        await run_sink(Lost(), kafka, stop=asyncio.Event(), group=new_group())
    with pytest.raises(Stop, match=r"Kafka at 127\.0\.0\.1:9 cannot be reached"):
        await run_sink(Lost(), "127.0.0.1:9", stop=asyncio.Event(), group=new_group())
