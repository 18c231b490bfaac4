"""The end of a transaction without an answer is an error, where aiokafka would ask again."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError, ProducerFenced, RequestTimedOutError
from aiokafka.producer.sender import EndTxnHandler
from aiokafka.producer.transaction_manager import TransactionManager, TransactionResult, TransactionState

from streams.runtime.producer import FencedProducer, UnknownOutcome, _EndTxnOnce, _StrictSender

NO_ERROR, COORDINATOR_LOAD_IN_PROGRESS, INVALID_PRODUCER_EPOCH = 0, 14, 47


async def sender_that(answer: Callable[[], Any]) -> SimpleNamespace:
    manager = TransactionManager("app-table-0", 1_000)
    manager.set_pid_and_epoch(7, 1)
    manager.begin_transaction()
    manager.committing_transaction()

    async def send(*_: Any, **__: Any) -> Any:
        return answer()

    return SimpleNamespace(
        client=SimpleNamespace(send=send),
        _txn_manager=manager,
        _retry_backoff=0.0,
        _coordinator_dead=lambda _: None,
    )


def fails(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def answers(code: int) -> Callable[[], Any]:
    return lambda: SimpleNamespace(error_code=code)


@pytest.mark.parametrize("error", [RequestTimedOutError(), NodeNotReadyError(), KafkaConnectionError()])
async def test_no_answer_raises_where_aiokafka_asks_again(error: Exception) -> None:
    sender = await sender_that(fails(error))
    assert await EndTxnHandler(sender, TransactionResult.COMMIT).do(1) is False
    with pytest.raises(UnknownOutcome):
        await _EndTxnOnce(sender, TransactionResult.COMMIT).do(1)


async def test_an_answer_is_taken_as_it_is() -> None:
    sender = await sender_that(answers(NO_ERROR))
    assert await _EndTxnOnce(sender, TransactionResult.COMMIT).do(1) is True
    assert sender._txn_manager.state is TransactionState.READY
    sender = await sender_that(answers(COORDINATOR_LOAD_IN_PROGRESS))
    assert await _EndTxnOnce(sender, TransactionResult.COMMIT).do(1) is False
    assert sender._txn_manager.state is TransactionState.COMMITTING_TRANSACTION
    sender = await sender_that(answers(INVALID_PRODUCER_EPOCH))
    with pytest.raises(ProducerFenced):
        await _EndTxnOnce(sender, TransactionResult.COMMIT).do(1)


async def test_our_sender_is_in_place_with_what_aiokafkas_was_given() -> None:
    ours = FencedProducer("127.0.0.1:1", "app-table-0")
    plain = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", transactional_id="x", acks="all")
    try:
        assert type(ours._producer._sender) is _StrictSender
        assert set(vars(ours._producer._sender)) == set(vars(plain._sender))
        assert ours._producer._sender._acks == plain._sender._acks == -1
        assert ours._producer._sender._txn_manager is ours._producer._txn_manager
    finally:
        await ours.stop()
        await plain.stop()
