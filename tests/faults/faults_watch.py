"""Who processes, and since when: the watermarks that the stream commits, and how far each sink has come."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from daybook import sinking
from schemas.positions import decode_position, is_position
from schemas.topics import LEDGER


class Watch:
    """Reads the ledger's changelog as it grows, and asks for the sinks' offsets. Times are of this machine's clock."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.partitions = partitions
        self.commits: dict[int, list[float]] = {number: [] for number in range(partitions)}
        """Per partition: when each of its transactions was made."""
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

    def streams_after(self, moment: float) -> float | None:
        """Seconds from a moment until every partition has made a transaction begun after it; None: not yet."""
        firsts = [next((at for at in self.commits[n] if at > moment), None) for n in range(self.partitions)]
        return None if None in firsts else max(at for at in firsts if at is not None) - moment

    def sink_after(self, role: str, moment: float) -> float | None:
        """Seconds from a moment until a sink has come further; None: not yet."""
        before = max((sum_ for at, sum_ in self.sinks[role] if at <= moment), default=0)
        return next((at - moment for at, sum_ in self.sinks[role] if at > moment and sum_ > before), None)

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
        reader.assign([TopicPartition(LEDGER.name, number, OFFSET_END) for number in range(self.partitions)])
        while not self._stop.is_set():
            for message in reader.consume(5_000, 0.1):
                if message.error() or not is_position(message.key()):
                    continue
                topic, position = decode_position(message.key(), message.value())
                number = message.partition()
                self.received[topic, number] = position.received
                self.commits[number].append(message.timestamp()[1] / 1000)
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
