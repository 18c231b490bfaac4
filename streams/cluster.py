"""What the cluster says about topics: their ids and partition counts, which aiokafka does not tell."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas import broker


class TopicFacts(NamedTuple):
    """One topic as the cluster knows it."""

    topic_id: str
    """Another one after the topic was deleted and made again."""
    partitions: int


class Cluster:
    """Asks the cluster, in threads of librdkafka."""

    def __init__(self, bootstrap_servers: str, timeout_s: float) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._timeout = timeout_s
        self._client: AdminClient | None = None

    async def describe(self, names: Collection[str]) -> dict[str, TopicFacts]:
        """Return the facts of those topics that exist; raises KafkaException where the cluster cannot be asked."""
        asked: dict[str, Future[Any]] = self._asked().describe_topics(
            TopicCollection(sorted(names)), request_timeout=self._timeout
        )
        answers = await asyncio.gather(*map(asyncio.wrap_future, asked.values()), return_exceptions=True)
        facts: dict[str, TopicFacts] = {}
        for name, answer in zip(asked, answers, strict=True):
            if isinstance(answer, BaseException):
                if _is_missing(answer):
                    continue
                raise answer
            facts[name] = TopicFacts(str(answer.topic_id), len(answer.partitions))
        return facts

    async def committed(self, group: str, tp: tuple[str, int]) -> int | None:
        """Return the offset that a consumer group has committed of a partition; None where it committed none."""
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(*tp)])
        asked = self._asked().list_consumer_group_offsets([wanted], request_timeout=self._timeout)
        [found] = (await asyncio.wrap_future(asked[group])).topic_partitions
        return found.offset if found.offset >= 0 else None

    async def make(self, topic: str, partitions: int, replicas: int, config: Mapping[str, str]) -> None:
        """Create a topic unless it exists, and return when the cluster names it.

        Raises KafkaException where the cluster cannot be asked or refuses it, TimeoutError where it does not show it.
        """
        if topic in await self.describe([topic]):
            return  # asked first, because creating may not be allowed to this client
        new = NewTopic(topic, num_partitions=partitions, replication_factor=replicas, config=dict(config))
        made: Future[None] = self._asked().create_topics([new], request_timeout=self._timeout)[topic]
        try:
            await asyncio.wrap_future(made)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        async with asyncio.timeout(self._timeout):
            while True:
                if topic in await self.describe([topic]):
                    return
                await asyncio.sleep(0.05)

    def _asked(self) -> AdminClient:
        if self._client is None:
            self._client = AdminClient({**broker.librdkafka(self._bootstrap_servers), "log_level": 0})
        return self._client

    async def topic_ids(self, names: Collection[str]) -> dict[str, str]:
        """Return the ids of those topics that exist; raises OSError where the cluster cannot be asked."""
        try:
            return {name: facts.topic_id for name, facts in (await self.describe(names)).items()}
        except KafkaException as error:
            raise OSError(f"Kafka at {self._bootstrap_servers} does not answer: {error.args[0].str()}") from error


def _is_missing(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def missing(names: Iterable[str], facts: dict[str, TopicFacts]) -> list[str]:
    """Return those of ``names`` that do not exist."""
    return sorted(set(names) - set(facts))
