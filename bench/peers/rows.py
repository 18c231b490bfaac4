"""The rows that a peer writes, as any reader of committed records sees them."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress

import confluent_kafka
from confluent_kafka.admin import AdminClient, OffsetSpec

from bench.peers.job import OUTPUT, PARTITIONS, Day, Totals, row_of

IDLE_S = 3.0
"""Where a killed peer left a transaction open, the client does not always say that a partition ends."""
EOF = confluent_kafka.KafkaError._PARTITION_EOF


def consumer(kafka: str) -> confluent_kafka.Consumer:
    """Reads what is committed, and says where a partition ends."""
    return confluent_kafka.Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "bench-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )


class Rows:
    """The output topic: its end asked of the broker while a peer works, its rows read once it is quiet."""

    def __init__(self, kafka: str) -> None:
        self.found: dict[Day, Totals] = {}
        """The last row of every user-day."""
        self.count = 0
        self.folded: dict[int, int] = defaultdict(int)
        """Append time in ms → meals that rows of then told of first."""
        self.times: list[int] = []
        """Append times of all rows, on the broker's clock."""
        self._admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
        self._kafka = kafka
        self._next = [0] * PARTITIONS
        self._end = 0
        self._most: dict[Day, int] = {}

    def end(self) -> int:
        """Records in the topic, markers of transactions included."""
        parts = [confluent_kafka.TopicPartition(OUTPUT, p) for p in range(PARTITIONS)]
        asked = self._admin.list_offsets({part: OffsetSpec.latest() for part in parts})
        with suppress(confluent_kafka.KafkaException):  # a broker that has just started; asked again in a moment
            self._end = sum(future.result().offset for future in asked.values())
        return self._end

    def read(self) -> None:
        """Take in what is there by now. A row without a value is Flink taking a day back before it says it anew."""
        reader = consumer(self._kafka)  # a new one: one that was told of an end is not told of it again
        reader.assign([confluent_kafka.TopicPartition(OUTPUT, p, at) for p, at in enumerate(self._next)])
        left, heard = PARTITIONS, time.monotonic()
        while left and time.monotonic() - heard < IDLE_S:
            for message in reader.consume(10_000, 0.1):
                heard = time.monotonic()
                if (error := message.error()) is not None:
                    if error.code() != EOF:
                        raise SystemExit(f"bench: the rows cannot be read: {error}")
                    left -= 1
                    continue
                self._next[message.partition() or 0] = (message.offset() or 0) + 1
                if (value := message.value()) is not None:
                    self._take(value, message.timestamp()[1])
        reader.close()

    def _take(self, value: bytes, at: int) -> None:
        day, totals = row_of(value)
        self.found[day] = totals
        self.count += 1
        self.times.append(at)
        fresh = totals.meals - self._most.get(day, 0)
        if fresh > 0:
            self._most[day] = totals.meals
            self.folded[at] += fresh
