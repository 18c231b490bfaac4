"""What a sink reads: the consumer of its group, with positions that mean "all before this is stored".

Positions count, not rows: markers that end transactions are passed too, so an idle partition comes to its end.
Everything is tied to one assignment: what was read under it is never committed under the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from schemas import broker, wire
from sinks.base import Refusal, Stop
from sinks.batch import Place
from sinks.start import Committed, same_topic, start

log = logging.getLogger(__name__)
wire.install()

_TIMEOUT_S = 30.0
_LARGE = 1 << 20

Fetched = Mapping[TopicPartition, list[Any]]
Resume = Callable[[Mapping[Place, int]], Awaitable[Mapping[Place, int] | None]]
Identify = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]
"""Topics → Kafka's id of each; aiokafka cannot ask for it. Raises OSError or TimeoutError if Kafka does not answer."""


async def nobody_knows(topics: Collection[str]) -> Mapping[str, str]:
    """No ids: what a topic that was made again looks like by its offsets is still noticed."""
    return {}


_BESIDE = "topic id "
"""What a commit says beside the offset; tools that move offsets by hand write something else, or nothing."""


def _id_in(metadata: str | None) -> str:
    return metadata.removeprefix(_BESIDE) if metadata and metadata.startswith(_BESIDE) else ""


class Moved(Exception):
    """The assignment changed: what was read and is not stored yet belongs to whoever owns the partitions now."""


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Counts assignments."""

    def __init__(self) -> None:
        self.number = 0
        self.made = False

    def on_partitions_revoked(self, revoked: object) -> None:
        self.number += 1

    def on_partitions_assigned(self, assigned: object) -> None:
        self.number += 1
        self.made = True


class Source:
    """The topics of one sink, read committed."""

    def __init__(
        self,
        kafka: str,
        group: str,
        role: str,
        topics: Iterable[str],
        instance_id: str | None,
        identify: Identify = nobody_knows,
        linger_s: float = 0.0,
    ) -> None:
        """`linger_s`: how seldom batches are written; who writes seldom fetches few large ones too. `instance_id` makes
        it a static member: a restart within the session timeout moves no partitions."""
        self._identify = identify
        self._topic_ids: dict[str, str] = {}
        self._kafka, self._role, self._topics = kafka, role, tuple(topics)
        self._listener = _Listener()
        self._settled = -1
        self._committed: dict[TopicPartition, int] = {}
        self._consumer = AIOKafkaConsumer(
            **broker.aiokafka(kafka),
            group_id=group,
            group_instance_id=instance_id,
            client_id=f"daybook-sink-{role}",
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",  # `settle` decides, and says so when Kafka threw away what was not stored
            session_timeout_ms=6_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=2**31 - 1,  # a store may be away for days; a hung process sends no heartbeats either
            fetch_max_bytes=16 << 20,
            fetch_min_bytes=_LARGE if linger_s else 1,
            fetch_max_wait_ms=min(250, int(linger_s * 500)) or 100,
        )
        self.reached: dict[Place, int] = {}
        """The next offset to read, of every partition."""

    @property
    def is_ready(self) -> bool:
        """Whether partitions were assigned and set to where reading goes on; there may be none for this member."""
        return self._listener.made and self._settled == self._listener.number

    @property
    def has_moved(self) -> bool:
        """Whether positions have changed since the last commit."""
        return any(self._committed.get(TopicPartition(*place)) != at for place, at in self.reached.items())

    async def open(self) -> None:
        """Join the group. Raises Stop if Kafka or a topic is not there."""
        try:
            await self._consumer.start()
            known = await self._consumer.topics()
        except (KafkaError, OSError) as why:
            raise Stop(f"Kafka at {self._kafka} cannot be reached: {why}") from why
        if missing := sorted(set(self._topics) - known):
            raise Refusal(f"Kafka at {self._kafka} has no topic {missing[0]}: run daybook migrate")
        self._consumer.subscribe(self._topics, listener=self._listener)

    async def close(self) -> None:
        """Leave the group."""
        await self._consumer.stop()

    async def settle(self, resume: Resume) -> None:
        """Begin anew with what is assigned now: every partition is set to where group and store left it.

        If Kafka does not answer, nothing is settled and `fetch` raises Moved again. Raises Refusal as
        `sinks.start` says.
        """
        self._settled, self.reached, self._committed = -1, {}, {}
        number, tps = self._listener.number, sorted(self._consumer.assignment())
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                if tps:
                    for topic, now in (await self._identify({tp.topic for tp in tps})).items():
                        # The broker forgets what was committed on a topic that is deleted; we do not.
                        same_topic(topic, self._topic_ids.setdefault(topic, now), now)
                committed = await self._committed_by_group(tps)
                begin = await self._consumer.beginning_offsets(tps) if tps else {}
                end = await self._consumer.end_offsets(tps) if tps else {}
            wishes = await resume({tuple(tp): at.offset if at else 0 for tp, at in committed.items()})
            if wishes is None:
                return
            for tp in tps:
                wish = wishes.get((tp.topic, tp.partition))
                known, topic_id = committed.get(tp), self._topic_ids.get(tp.topic, "")
                first = start(*tp, committed=known, resume=wish, begin=begin[tp], end=end[tp], topic_id=topic_id)
                self._consumer.seek(tp, first)
                self.reached[tp.topic, tp.partition] = first
                if known is not None and known.topic_id == topic_id:
                    self._committed[tp] = known.offset
        except (IllegalStateError, KafkaError, TimeoutError, OSError) as why:
            log.warning("%s: partitions are not settled yet: %s", self._role, why or type(why).__name__)
            await asyncio.sleep(0.1)
            return
        self._settled = number

    async def _committed_by_group(self, tps: list[TopicPartition]) -> dict[TopicPartition, Committed]:
        # `committed()` would ask for one partition at a time, and leave out what was committed beside the offset.
        found = await self._consumer._coordinator.fetch_committed_offsets(tps)
        return {tp: Committed(at.offset, _id_in(at.metadata)) for tp, at in found.items() if at.offset >= 0}

    async def fetch(self, timeout_s: float, most: int) -> Fetched:
        """At most so many records; waits for the first. Empty after the timeout, or a little later.

        Raises Moved if `settle` must come first, and Stop for what Kafka will never answer.
        """
        try:
            async with asyncio.timeout(timeout_s + 2.0):  # while a rebalance runs, aiokafka waits without end
                fetched: Fetched = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=most)
            if self._settled != self._listener.number:
                raise Moved
            for tp in self._consumer.assignment():
                self.reached[tp.topic, tp.partition] = await self._consumer.position(tp)
            return fetched
        except (TimeoutError, NoOffsetForPartitionError):  # of before the seek
            if self._settled != self._listener.number:
                raise Moved from None
            return {}
        except (OffsetOutOfRangeError, IllegalStateError) as why:
            raise Moved from why
        except KafkaError as why:
            if not why.retriable:
                raise Stop(f"Kafka at {self._kafka}: {why}") from why
            log.warning("%s: Kafka at %s: %s", self._role, self._kafka, why)
            await asyncio.sleep(timeout_s)
            return {}

    async def commit(self, reached: Mapping[Place, int]) -> None:
        """Commit these positions; a failure is only logged, because a later commit says it too. Raises Moved."""
        if self._settled != self._listener.number:
            raise Moved
        moved = {tp: at for place, at in reached.items() if self._committed.get(tp := TopicPartition(*place)) != at}
        if not moved:
            return
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._consumer.commit(
                    {tp: (at, _BESIDE + self._topic_ids.get(tp.topic, "")) for tp, at in moved.items()}
                )
        except IllegalStateError as why:
            raise Moved from why
        except (KafkaError, TimeoutError) as why:
            log.warning("%s: commit failed: %s", self._role, why or type(why).__name__)
            await asyncio.sleep(0.1)
        else:
            self._committed |= moved
