"""Who processes, and since when: the watermarks that the stream commits, and how far each sink has come."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right, insort
from collections import defaultdict
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from daybook import sinking
from schemas.positions import decode_position, is_position
from schemas.topics import CELLS, LEDGER

STREAMS = {"streams": LEDGER.name, "progress": CELLS.name}
"""Roles that fold, and the changelog in which each says how far it is."""

SILENCE_S = 15.0
"""A client that has heard nothing for so long is made anew."""


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
        next_offsets = {(topic, number): OFFSET_END for topic in STREAMS.values() for number in range(self.partitions)}
        while not self._stop.is_set():
            reader = self._asker("faults-watch", {"isolation.level": "read_committed", "fetch.wait.max.ms": 50})
            reader.assign([TopicPartition(*place, offset) for place, offset in next_offsets.items()])
            self._read(reader, next_offsets)
            reader.close()

    def _read(self, reader: Consumer, next_offsets: dict[tuple[str, int], int]) -> None:
        """Until it has been silent for long: after a broker was killed, librdkafka may go on asking in vain."""
        role_of = {topic: role for role, topic in STREAMS.items()}
        heard = time.monotonic()
        while not self._stop.is_set() and time.monotonic() - heard < SILENCE_S:
            for message in reader.consume(5_000, 0.1):
                if message.error():
                    continue
                heard = time.monotonic()
                next_offsets[message.topic(), message.partition()] = message.offset() + 1
                if not is_position(message.key()):
                    continue
                topic, position = decode_position(message.key(), message.value())
                role, number = role_of[message.topic()], message.partition()
                if role == "streams":
                    self.received[topic, number] = position.received
                insort(self.commits[role, number], message.timestamp()[1] / 1000)

    def _asker(self, group: str, settings: dict[str, Any] | None = None) -> Consumer:
        """A consumer that never joins.

        The admin client's question for a group's offsets can end the process with a failed assertion of librdkafka
        while the broker is bounced.
        """
        own = {"bootstrap.servers": self._bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0}
        return Consumer(own | (settings or {}))

    def _sinks(self) -> None:
        groups = sinking.groups()
        askers = {role: self._asker(group.id) for role, group in groups.items()}
        heard = dict.fromkeys(groups, time.monotonic())
        while not self._stop.wait(0.2):
            for role, group in groups.items():
                asked = [TopicPartition(topic, number) for topic in group.topics for number in range(self.partitions)]
                try:
                    total = sum(max(0, tp.offset) for tp in askers[role].committed(asked, timeout=3.0))
                except KafkaException:  # the broker is being bounced
                    if time.monotonic() - heard[role] > SILENCE_S:
                        askers[role].close()
                        askers[role], heard[role] = self._asker(group.id), time.monotonic()
                    continue
                heard[role] = time.monotonic()
                if not self.sinks[role] or self.sinks[role][-1][1] != total:
                    self.sinks[role].append((time.time(), total))
        for asker in askers.values():
            asker.close()
