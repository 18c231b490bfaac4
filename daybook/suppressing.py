"""Who was erased, as this installation knows it: the key that names are hashed with, and the list in Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING

from daybook.errors import Misuse
from daybook.settings import Settings
from schemas.suppression import Erased
from schemas.topics import SUPPRESSED

if TYPE_CHECKING:
    from sinks.erased import Register

_LEAST_BYTES = 32


def secret(settings: Settings) -> str | None:
    """The key; None where nobody set one and no servers were ever started in the data folder. Raises Misuse."""
    from stack.errors import StackError
    from stack.stack import Stack

    if settings.erasure_key is not None:
        found = settings.erasure_key.get_secret_value()
        if len(found.encode()) < _LEAST_BYTES:
            raise Misuse(f"DAYBOOK_ERASURE_KEY has fewer than {_LEAST_BYTES} bytes")
        return found
    try:
        return Stack(settings.data).secret("erasure")
    except StackError:
        return None


def known(settings: Settings, topics: Collection[str] = (SUPPRESSED.name,)) -> Erased:
    """The list as Kafka has it now. Raises SinkError: Kafka does not answer, or the list needs another key."""
    from sinks import erased

    return asyncio.run(erased.read(settings.address("kafka"), secret(settings), topics))


def renewing(settings: Settings, erased: Erased) -> Callable[[], Awaitable[object]]:
    """What brings this list up to date."""
    from sinks.erased import Register

    async def renew() -> None:
        register = Register(settings.address("kafka"), erased)
        try:
            await register.refresh()
        finally:
            await register.close()

    return renew


def register(settings: Settings) -> Register:
    """The list for a process that asks again and again; nothing is read yet."""
    from sinks.erased import Register

    return Register(settings.address("kafka"), Erased(secret(settings)))
