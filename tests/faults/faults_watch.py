"""Who processes, and since when: the watermarks that the stream commits, and how far each sink has come."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right, insort
from collections import defaultdict

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from daybook import sinking
from schemas.positions import decode_position, is_position
from schemas.topics import CELLS, LEDGER

STREAMS = {"streams": LEDGER.name, "progress": CELLS.name}
"""Roles that fold, and the changelog in which each says how far it is."""


class Watch:
    """Reads the ledger's changelog as it grows, and asks for the sinks' offsets. Times are of this machine's clock."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.partitions = partitions
        self.commits: dict[tuple[str, int], list[float]] = {
            (role, number): [] for role in STREAMS for number in range(partitions)
        }
        """Per role and partition: when each of its transactions was made."""
        self.received: dict[tuple[str, int], int] = {}
        self.sinks: dict[str, list[tuple[float, int]]] = defaultdict(list)
        """Per sink: when it was seen to have come how far, its offsets added up."""
        self._bootstrap = bootstrap
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._streams, self._sinks)]
        for thread in self._threads:
            thread.start()

    @property
    def folded(self) -> int:
        """Events that the stream has committed since the watch began, at least."""
        return sum(self.received.values())

    def after(self, role: str, moment: float) -> float | None:
        """Seconds from a moment until a role has processed something new; None: not yet.

        A stream: until every partition has made a transaction begun after it. A sink: until it has come further.
        """
        if role in STREAMS:
            return self._stream_after(role, moment)
        before = max((sum_ for at, sum_ in self.sinks[role] if at <= moment), default=0)
        return next((at - moment for at, sum_ in self.sinks[role] if at > moment and sum_ > before), None)

    def _stream_after(self, role: str, moment: float) -> float | None:
        last = 0.0
        for number in range(self.partitions):
            commits = self.commits[role, number]
            place = bisect_right(commits, moment)
            if place == len(commits):
                return None
            last = max(last, commits[place])
        return last - moment

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _streams(self) -> None:
        reader = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "faults-watch",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        role_of = {topic: role for role, topic in STREAMS.items()}
        numbers = range(self.partitions)
        reader.assign([TopicPartition(topic, number, OFFSET_END) for topic in role_of for number in numbers])
        while not self._stop.is_set():
            for message in reader.consume(5_000, 0.1):
                if message.error() or not is_position(message.key()):
                    continue
                topic, position = decode_position(message.key(), message.value())
                role, number = role_of[message.topic()], message.partition()
                if role == "streams":
                    self.received[topic, number] = position.received
                insort(self.commits[role, number], message.timestamp()[1] / 1000)
        reader.close()

    def _sinks(self) -> None:
        # Consumers that never join: the admin client's question for a group's offsets can end the process with a failed
        # assertion of librdkafka while the broker is bounced.
        askers = {
            role: (Consumer({"bootstrap.servers": self._bootstrap, "group.id": group.id, "log_level": 0}), group.topics)
            for role, group in sinking.groups().items()
        }
        while not self._stop.wait(0.2):
            for role, (asker, topics) in askers.items():
                asked = [TopicPartition(topic, number) for topic in topics for number in range(self.partitions)]
                try:
                    total = sum(max(0, tp.offset) for tp in asker.committed(asked, timeout=3.0))
                except KafkaException:  # the broker is being bounced
                    continue
                if not self.sinks[role] or self.sinks[role][-1][1] != total:
                    self.sinks[role].append((time.time(), total))
        for asker, _ in askers.values():
            asker.close()
