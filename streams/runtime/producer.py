"""A transactional producer that never guesses: an end of a transaction without an answer is an error.

aiokafka sends EndTxn again when no answer came. The first one may still be under way and end the *next* transaction in
the middle (the tearing of Jepsen 2024, which KIP-890 cures for newer clients only), so here it raises, and the process
stops (DESIGN §8 rule 14). Produce requests may be repeated: the broker recognises them by their sequence numbers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError
from aiokafka.producer.sender import EndTxnHandler, Sender

from schemas import broker, faultpoints
from streams.runtime.batches import FilledBatch, build_batches
from streams.state import Headers, Pairs, Target


class UnknownOutcome(KafkaError):  # type: ignore[misc]
    """Nobody can say whether the transaction was committed."""


class _EndTxnOnce(EndTxnHandler):  # type: ignore[misc]
    async def do(self, node_id: int) -> bool:
        try:
            response = await self._sender.client.send(node_id, self.create_request(), group=self.group)
        except KafkaError as error:
            raise UnknownOutcome(f"no answer to the end of a transaction: {error!r}") from error
        backoff = self.handle_response(response)
        if backoff is None:
            return True
        await asyncio.sleep(backoff)  # an answer that it was not taken: asking again is safe
        return False


class _StrictSender(Sender):  # type: ignore[misc]
    async def _do_txn_commit(self, commit_result: Any) -> None:
        await self._message_accumulator.flush_for_commit()
        if self._txn_manager.is_empty_transaction():
            self._txn_manager.complete_transaction()
            return
        node_id = await self._find_coordinator(CoordinationType.TRANSACTION, self._txn_manager.transactional_id)
        await _EndTxnOnce(self, commit_result).do(node_id)


class FencedProducer:
    """The one producer that may write for a partition; starting it refuses every earlier one with the same id."""

    def __init__(
        self,
        bootstrap_servers: str,
        transactional_id: str,
        *,
        transaction_timeout_s: float = 30.0,
        compression: str | None = None,
    ) -> None:
        self.transactional_id = transactional_id
        self._timeout = transaction_timeout_s
        self._compression = compression
        producer = AIOKafkaProducer(
            **broker.aiokafka(bootstrap_servers),
            client_id=transactional_id,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(transaction_timeout_s * 1000),
            request_timeout_ms=int(transaction_timeout_s * 1000),
            acks="all",
            linger_ms=0,
        )
        old = producer._sender
        producer._sender = _StrictSender(
            producer.client,
            acks=old._acks,
            txn_manager=producer._txn_manager,
            message_accumulator=producer._message_accumulator,
            retry_backoff_ms=100,
            request_timeout_ms=old._request_timeout_ms,
        )
        self._producer = producer

    async def start(self, topics: Sequence[str]) -> None:
        """Fence every earlier producer; on return, what they had not committed is aborted for good."""
        await self._producer.start()
        for topic in topics:
            await self._producer.partitions_for(topic)

    async def commit(
        self, partition: int, records: Mapping[Target, Pairs], headers: Mapping[Target, Headers] = MappingProxyType({})
    ) -> dict[Target, int]:
        """Write all records in one transaction, each with its topic's headers; return the last offset per target.

        A target without a partition is that topic's `partition`.

        Raises whatever went wrong; after that neither this producer nor the memory it wrote from may be used again.
        """
        now_ms = int(time.time() * 1000)
        built = {
            target: build_batches(pairs, now_ms, compression=self._compression, headers=headers.get(target, ()))
            for target, pairs in records.items()
            if pairs
        }
        async with asyncio.timeout(self._timeout):
            await self._producer.begin_transaction()
            sent = {
                target: await self._send(*((target, partition) if isinstance(target, str) else target), batches)
                for target, batches in built.items()
            }
            last: dict[Target, int] = {}
            for target, futures in sent.items():
                # Every delivery is checked before the commit: aiokafka commits also when a batch of it has failed.
                for future, count in futures:
                    last[target] = (await future).offset + count - 1
            faultpoints.reach("flush.sent")
            await self._producer.commit_transaction()
        faultpoints.reach("flush.committed")
        return last

    async def _send(self, topic: str, partition: int, batches: list[FilledBatch]) -> list[tuple[Any, int]]:
        return [
            (await self._producer.send_batch(batch, topic, partition=partition), batch.record_count())
            for batch in batches
        ]

    async def stop(self) -> None:
        """Close the connections; a transaction that is still open is left to the fence of the next owner."""
        await self._producer.stop()
