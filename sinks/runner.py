"""The consumer loop of a sink: gather, write, then commit. Nothing is committed before it is stored.

While one batch is being written the next is gathered. While a store is away the same batch waits for it, and the group
keeps its member: heartbeats run beside the loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError

from schemas import faultpoints
from schemas.topics import GENERATION, SOURCES
from schemas.tracing import MOST, Attributes, Tracing, told
from sinks import aside, garbage
from sinks.base import Behind, Sink
from sinks.batch import name_of
from sinks.erased import Register, strip
from sinks.filing import Filing
from sinks.intake import Taken, take
from sinks.patience import Patience
from sinks.source import Identify, Moved, Source, nobody_knows
from sinks.tally import EVERY_S, Tally
from sinks.watching import SinkWatch

log = logging.getLogger(__name__)

_POLL_S = 0.25
LOOK_S = 5.0
"""How often an idle store is written an empty batch, by which it notices that it was emptied."""
_START_PATIENCE_S = 60.0
_SLOW_S = 2.0
_MOST_BYTES = 64 << 20
"""A batch ends here too: 50,000 events may have a quarter of a megabyte each."""
_NAMED = 20
"""How many rows of one batch are named in the log when they are set aside."""


def group_of(role: str) -> str:
    """Consumer group of a sink: a new generation reads its topics from the beginning (DESIGN §8 rule 11)."""
    return f"daybook-sink-{role}-g{GENERATION}"


async def run_sink(
    sink: Sink,
    kafka: str,
    *,
    stop: asyncio.Event,
    group: str | None = None,
    instance_id: str | None = None,
    identify: Identify = nobody_knows,
    watch: SinkWatch | None = None,
    on_ready: Callable[[], None] = lambda: None,
    register: Register | None = None,
    tracing: Tracing | None = None,
    log_every_s: float = EVERY_S,
) -> None:
    """Keep the store up to date until `stop` is set; then finish the batch, commit and leave the group.

    `kafka`: host:port. `on_ready` is called once, when partitions are assigned and reading begins. `instance_id` makes
    it a static member of the group. `identify` tells topics' ids, by which one that was made again is refused.
    `register`: who was erased, whose rows are not stored; None: nobody was. `tracing`: makes a span of each batch with
    rows that sampled events led to; None: nobody looks whether there are any. `log_every_s`: see Tally.

    Raises Stop with one line when going on would lose data or can never work (Refusal: for a person to mend), and when
    the store cannot be reached for a minute at the start; later it waits for the store without end.
    """
    source = Source(kafka, group or group_of(sink.role), sink.role, sink.topics, instance_id, identify, sink.linger_s)
    filing = Filing(kafka)
    loop = _Loop(sink, source, filing, stop, watch or SinkWatch(sink.role), register)
    loop.tracing, loop.tally = tracing, Tally(sink.role, log_every_s)
    try:
        with garbage.seldom():
            await loop.run(on_ready)
    finally:
        leave: tuple[Callable[[], Awaitable[None]], ...] = (loop.close, source.close, sink.close, filing.close)
        for each in leave if register is None else (*leave, register.close):
            try:
                await asyncio.wait_for(each(), 10)
            except (TimeoutError, KafkaError, OSError) as why:
                log.warning("%s: leaving: %s", sink.role, why or type(why).__name__)


class _Loop:
    def __init__(
        self,
        sink: Sink,
        source: Source,
        filing: Filing,
        stop: asyncio.Event,
        watch: SinkWatch,
        register: Register | None,
    ) -> None:
        self._sink, self._source, self._filing, self._stop, self._watch = sink, source, filing, stop, watch
        self._register = register
        # Rows are made by streams that have dropped who is on the list; only events come straight from outside.
        self._reads_events = not {topic.name for topic in SOURCES}.isdisjoint(sink.topics)
        self._patience = Patience(sink.role, stop, on_retry=watch.retries)
        self.tally = Tally(sink.role)
        self.tracing: Tracing | None = None
        self._limit = aside.Limit()
        self._gathered = Taken()
        self._writing: asyncio.Task[bool] | None = None
        self._wrote_at = self._looked_at = 0.0

    async def run(self, on_ready: Callable[[], None]) -> None:
        await self._patience.until_done(self._sink.open, give_up_after_s=_START_PATIENCE_S)
        if self._stop.is_set():
            return
        await self._source.open()
        ready = False
        while not self._stop.is_set():
            try:
                await self._turn()
            except Moved:
                await self._settle()
            except Behind as why:
                log.warning("%s: %s: reading again", self._sink.role, why)
                await self._settle()
            if not ready and self._source.is_ready:
                ready = True
                on_ready()
            self.tally.say_if_due(self._patience.retries)
        with suppress(Moved, Behind):  # then the next owner stores it
            if await self._written():
                await self._flush(self._gathered, dict(self._source.reached))

    async def close(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        self.tally.say(self._patience.retries)

    async def _turn(self) -> None:
        """Gather a little; end the write that runs and begin the next, where it is time."""
        await self._gather()
        if self._writing is not None and (self._writing.done() or self._is_full):
            if not self._writing.done():
                await asyncio.wait([self._writing], timeout=_POLL_S)
            if self._writing.done():
                await self._written()
        if self._writing is None and self._is_due and not self._stop.is_set():
            self._writing = asyncio.create_task(self._flush(self._gathered, dict(self._source.reached)))
            self._gathered = Taken()

    async def _written(self) -> bool:
        """Whether all that was begun to be written is stored; raises what the write raised."""
        writing, self._writing = self._writing, None
        return await writing if writing is not None else True

    async def _settle(self) -> None:
        """Begin anew with what is assigned now; what was gathered and not stored will be read again."""
        with suppress(Moved, Behind):
            await self._written()
        self._gathered = Taken()
        if self._register is not None:  # what is read from here on may be of somebody who was erased long ago
            await self._patience.until_done(self._register.refresh)
        await self._source.settle(lambda places: self._patience.until_done(lambda: self._sink.resume(places)))
        self._watch.assigned(self._source.reached)

    async def _gather(self) -> None:
        """Add what Kafka has now; wait a little while there is nothing."""
        if self._is_full:
            return
        wait_s = _POLL_S
        if self._gathered.records:
            wait_s = 0.0 if self._writing else min(_POLL_S, max(0.0, self._linger_left))
        fetched = await self._source.fetch(wait_s, self._sink.rows_per_write - self._gathered.records)
        for tp, records in fetched.items():
            take(self._gathered, tp.topic, tp.partition, records)
            place = tp.topic, tp.partition
            self._gathered.newest_ms[place] = records[-1].timestamp
            first = self._gathered.offsets.get(place, (records[0].offset, 0))[0]
            self._gathered.offsets[place] = first, records[-1].offset
            if self.tracing is not None and len(self._gathered.traced) < MOST:
                self._gathered.traced += told(record.headers for record in records)
            self._gathered.since = self._gathered.since or time.monotonic()
            self._watch.gathered(self._gathered, tp.topic, len(records))
            self._gathered.records += len(records)
            self._gathered.size += sum([len(record.value or b"") for record in records])
        if not fetched and self._writing is not None and self._gathered.records:
            await asyncio.wait([self._writing], timeout=min(_POLL_S, 0.01))

    @property
    def _is_full(self) -> bool:
        return self._gathered.records >= self._sink.rows_per_write or self._gathered.size >= _MOST_BYTES

    @property
    def _linger_left(self) -> float:
        return self._wrote_at + self._sink.linger_s - time.monotonic()

    @property
    def _is_due(self) -> bool:
        if self._gathered.records:
            return self._is_full or self._linger_left <= 0
        return self._source.has_moved or time.monotonic() - self._looked_at > LOOK_S

    async def _flush(self, gathered: Taken, reached: dict[tuple[str, int], int]) -> bool:
        """Store what was gathered, then commit how far that goes. False if told to stop while the store was away."""
        batch, batch.through = gathered.batch, reached
        began = time.monotonic()
        self._watch.writes(gathered)

        faultpoints.reach("sink.gathered")

        async def store() -> list[tuple[Any, Any]]:
            if self._register is not None:
                if self._reads_events and gathered.records:
                    await self._register.refresh()
                strip(self._register.erased, gathered)
            refused = await aside.write(self._sink, batch)
            await self._filing.file(gathered.refused_views)
            return refused

        span = None
        if self.tracing is not None and gathered.traced:
            said: Attributes = {"db.system.name": self._sink.role, "messaging.batch.message_count": gathered.records}
            span = self.tracing.follow(f"store {self._sink.role}", list(dict.fromkeys(gathered.traced)), said)
        try:
            refused = await self._patience.until_done(store)
        except BaseException as why:
            if span is not None:
                span.end(error=type(why).__name__)
            raise
        if span is not None:
            span.end({"db.operation.batch.size": len(batch)})
        if refused is None:
            return False
        faultpoints.reach("sink.stored")
        self._looked_at = time.monotonic()
        if gathered.records:
            self._wrote_at = self._looked_at
        self._report(gathered, refused, self._looked_at - began)
        self._watch.stored(gathered, len(refused) + len(gathered.unreadable), self._looked_at - began)
        self._limit.count(len(batch), len(refused) + len(gathered.unreadable))
        await self._source.commit(reached)
        self._watch.committed(reached)
        faultpoints.reach("sink.committed")
        return True

    def _report(self, gathered: Taken, refused: list[tuple[Any, Any]], took_s: float) -> None:
        role = self._sink.role
        for row, why in refused[:_NAMED]:
            log.error("%s refused a row, which is set aside: %s: %s", role, name_of(row), why)
        for bad in gathered.unreadable[:_NAMED]:
            log.error("%s: unreadable, set aside: %s/%d@%d key %r: %s", role, *bad)
        if (more := max(0, len(refused) - _NAMED) + max(0, len(gathered.unreadable) - _NAMED)) > 0:
            log.error("%s: and %d more of this batch set aside", role, more)
        self.tally.add(gathered, len(refused), took_s)
        level = logging.INFO if took_s > _SLOW_S else logging.DEBUG
        rows, records = len(gathered.batch), gathered.records
        log.log(level, "%s stored %d rows of %d records in %.0f ms", role, rows, records, took_s * 1000)
