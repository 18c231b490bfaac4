"""Events into Kafka for many requests at once: each request waits for its own events, batches are made across them.

librdkafka batches, packs and sends in threads of its own. An event counts once every replica that is in sync has it
(acks=all). Kafka's idempotent producer is not used: what it may refuse to go on after would be a service that is down,
and what arrives twice counts once anyway.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence

import confluent_kafka

from api.breaker import Breaker
from api.problems import Problem, unavailable
from producers.publish import Record
from schemas import broker
from schemas.tracing import HEADER

log = logging.getLogger(__name__)

LINGER_MS = 10
IN_FLIGHT = 5
"""Requests under way at most. librdkafka sends a partition per request: where the broker is slow to answer, events then
gather into larger ones instead of queueing as many small ones before it."""
QUEUED_EVENTS = 100_000
QUEUED_KIB = 131_072
PROBE_EVERY_S = 0.5
PROBE_S = 1.0
"""How long Kafka may take to answer when it is asked whether it is back."""
RETRY_AFTER_S = 2


REFUSED = frozenset(
    {
        confluent_kafka.KafkaError.MSG_SIZE_TOO_LARGE,
        confluent_kafka.KafkaError.INVALID_MSG,
        confluent_kafka.KafkaError.INVALID_RECORD,
        confluent_kafka.KafkaError.POLICY_VIOLATION,
        confluent_kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED,
        confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
"""What Kafka would say again: waiting does not help."""


class Unacknowledged(Problem):
    """Kafka did not acknowledge all events in time; it may take them later."""


class Publisher:
    """One producer and two threads: one hands acknowledgements on, one asks after a Kafka that seems down."""

    def __init__(self, kafka: str, *, answer_s: float = 5.0) -> None:
        """`answer_s`: how long an event may wait for its acknowledgement, retries included."""
        self._kafka = kafka
        self._breaker = Breaker(after=1, failures=1)  # down until it has answered once
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._suspect = threading.Event()
        self._asked = threading.Event()
        self._suspect.set()
        self._producer = confluent_kafka.Producer(
            {
                **broker.librdkafka(kafka),
                "acks": "all",
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": LINGER_MS,
                "max.in.flight.requests.per.connection": IN_FLIGHT,
                "batch.size": 1_000_000,
                "message.timeout.ms": int(answer_s * 1000),
                "queue.buffering.max.messages": QUEUED_EVENTS,
                "queue.buffering.max.kbytes": QUEUED_KIB,
                "reconnect.backoff.max.ms": 1_000,
                "socket.connection.setup.timeout.ms": 5_000,
                "log_level": 0,  # what goes wrong comes back as an error
                "error_cb": self._error,
            }
        )
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for name, run in (("acknowledgements", self._poll), ("kafka-probe", self._probe))
        ]
        self._answer_s = answer_s
        for thread in self._threads:
            thread.start()

    @property
    def is_up(self) -> bool:
        """Whether Kafka counts as up."""
        return not self._breaker.is_open

    def check(self) -> None:
        """Raises Problem 503 at once while Kafka counts as down."""
        if self._breaker.is_open:
            raise unavailable("events cannot be stored at the moment; send the same again", RETRY_AFTER_S)

    async def asked(self) -> None:
        """Returns once Kafka has been asked for the first time: from then on `is_up` is known."""
        await asyncio.to_thread(self._asked.wait, 2 * PROBE_S)

    async def send(self, records: Sequence[Record], traceparent: bytes | None = None) -> None:
        """Returns when all of them are acknowledged. Raises Problem 503 if any is not: which of them are stored is not
        known then, and sending all again is right. Unacknowledged: Kafka may take the same later."""
        self.check()
        if not records:
            return
        waiting = _Waiting(asyncio.get_running_loop())
        handed = 0
        try:
            if traceparent is None:
                for topic, key, value in records:
                    self._producer.produce(topic, value, key, on_delivery=waiting.told)
                    handed += 1
            else:
                headers: list[tuple[str, str | bytes | None]] = [(HEADER, traceparent)]
                for topic, key, value in records:
                    self._producer.produce(topic, value, key, on_delivery=waiting.told, headers=headers)
                    handed += 1
        except BufferError:
            waiting.fail(unavailable("too much is waiting to be stored; send the same again", 1))
        except confluent_kafka.KafkaException as why:
            log.error("Kafka at %s does not take events: %s", self._kafka, why)
            waiting.fail(unavailable("events cannot be stored at the moment; send the same again", RETRY_AFTER_S))
        waiting.seal(handed)
        await waiting.done
        if waiting.error is not None:
            self.failed(waiting.error.str())
            said = unavailable("the events were not acknowledged; send the same again", RETRY_AFTER_S)
            if waiting.error.code() in REFUSED:
                raise said
            raise Unacknowledged(said.status, said.detail, said.headers)

    async def close(self) -> None:
        """Wait for what is under way, then end."""
        self._ended.set()
        self._suspect.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await asyncio.to_thread(self._producer.flush, self._answer_s)

    def _poll(self) -> None:
        while not self._ended.is_set():
            self._producer.poll(0.1)

    def _error(self, error: confluent_kafka.KafkaError) -> None:
        if error.code() == confluent_kafka.KafkaError._ALL_BROKERS_DOWN:
            self.failed(error.str())

    def failed(self, why: str) -> None:
        """Kafka counts as down until it answers again; from any thread."""
        with self._lock:
            if not self._breaker.is_open:
                log.warning("Kafka at %s counts as down: %s", self._kafka, why)
            self._breaker.failed(time.monotonic())
        self._suspect.set()

    def _probe(self) -> None:
        """Ask until it answers, whenever it seems down."""
        while not self._ended.is_set():
            self._suspect.wait()
            while not self._ended.is_set():
                self._suspect.clear()  # what fails while we ask makes us ask once more
                try:
                    self._producer.list_topics(timeout=PROBE_S)
                except confluent_kafka.KafkaException:
                    self._asked.set()
                    self._ended.wait(PROBE_EVERY_S)
                    continue
                with self._lock:
                    if self._suspect.is_set():
                        continue
                    self._breaker.worked()
                self._asked.set()
                if not self._ended.is_set():
                    log.info("Kafka at %s answers", self._kafka)
                break


class _Waiting:
    """The events of one request on their way. `told` is called by the thread of acknowledgements, the rest by the loop;
    both may see the end, so it is told through the loop and counts once."""

    __slots__ = ("_acknowledged", "_handed", "_loop", "_refused", "done", "error")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._acknowledged = 0
        self._handed: int | None = None
        self._refused: Problem | None = None
        self.error: confluent_kafka.KafkaError | None = None
        self.done: asyncio.Future[None] = loop.create_future()

    def told(self, error: confluent_kafka.KafkaError | None, _message: object) -> None:
        """One event is stored, or is not."""
        if error is not None:
            self.error = error
        self._acknowledged += 1
        if self._acknowledged == self._handed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def fail(self, refused: Problem) -> None:
        """Not all could be handed over."""
        self._refused = refused

    def seal(self, handed: int) -> None:
        """So many were handed over, and no more will be."""
        self._handed = handed
        if self._acknowledged == handed:
            self._end()

    def _end(self) -> None:
        if self.done.done():
            return
        if self._refused is not None:
            self.done.set_exception(self._refused)
        else:
            self.done.set_result(None)
