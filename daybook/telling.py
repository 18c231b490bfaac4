"""A producer that is kept: for hints and canaries, a few records at a time, each acknowledged by all replicas."""

from __future__ import annotations

from collections.abc import Iterable

import confluent_kafka

from daybook.errors import Problem
from schemas import broker

ANSWER_S = 30.0


class Teller:
    """Sends keyed records; safe to be used by several threads."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer = confluent_kafka.Producer(
            {
                **broker.librdkafka(bootstrap),
                "partitioner": "murmur2_random",  # as all who key by user
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": int(ANSWER_S * 1000),
                "log_level": 0,
            }
        )

    def send(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Return once all of them, (key, value), are acknowledged. Raises Problem with the first that is not."""
        failed: list[str] = []

        def delivered(error: confluent_kafka.KafkaError | None, _: object) -> None:
            if error is not None:
                failed.append(error.str())

        try:
            for key, value in records:
                while True:
                    try:
                        self._producer.produce(topic, value, key, on_delivery=delivered)
                        break
                    except BufferError:
                        self._producer.poll(0.1)
                self._producer.poll(0)
        except confluent_kafka.KafkaException as why:
            failed.append(why.args[0].str())
        left = self._producer.flush(ANSWER_S)
        if failed or left:
            raise Problem(
                f"Kafka at {self._bootstrap} does not take records for {topic}: {failed[0] if failed else left}"
            )
