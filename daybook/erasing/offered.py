"""Erasing and exporting as the HTTP service is given them: what the commands do, and what the service may say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from api.config import Busy, Erase, Erasure, Export, NotToBeHad
from daybook import suppressing
from daybook.erasing import run
from daybook.erasing.export import lines
from daybook.errors import Problem
from daybook.scrub import scrub
from daybook.settings import Settings
from sinks.base import SinkError


def erase(settings: Settings) -> Erase | None:
    """Erases a person; None where no key hashes names."""
    if suppressing.secret(settings) is None:
        return None
    failures: tuple[type[Exception], ...] = (Problem, SinkError, *away())

    def do(user: str, say: Callable[[str], None]) -> None:
        try:
            run.erase(settings, user, say)
        except run.UnderWay as why:
            raise Busy(str(why)) from why
        except failures as why:
            raise NotToBeHad(scrub(f"{type(why).__name__}: {why}")) from why

    return do


def erasure(settings: Settings) -> Erasure | None:
    """Says how far the last erasure of a person is; None where no key hashes names."""
    if suppressing.secret(settings) is None:
        return None
    failures: tuple[type[Exception], ...] = (Problem, SinkError, *away())

    def told(user: str) -> dict[str, Any] | None:
        try:
            return run.told(settings, user)
        except failures as why:
            raise NotToBeHad(scrub(f"{type(why).__name__}: {why}")) from why

    return told


def export(settings: Settings) -> Export:
    """Says all that there is of a person."""
    failures: tuple[type[Exception], ...] = (Problem, SinkError, *away())

    def rows(user: str) -> Iterator[bytes]:
        try:
            yield from lines(settings, user)
        except failures as why:
            raise NotToBeHad(scrub(f"{type(why).__name__}: {why}")) from why

    return rows


def away() -> tuple[type[Exception], ...]:
    """What the stores' clients raise."""
    import clickhouse_connect
    import confluent_kafka
    import psycopg
    import redis

    stores = psycopg.Error, clickhouse_connect.driver.exceptions.Error, redis.RedisError, OSError
    return (*stores, confluent_kafka.KafkaException)
