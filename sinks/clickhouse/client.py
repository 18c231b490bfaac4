"""A connection to ClickHouse over HTTP, by URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    parts = urlsplit(url)
    client = await clickhouse_connect.get_async_client(
        interface=parts.scheme,
        host=parts.hostname,
        port=parts.port,
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/") or "default",
        autogenerate_session_id=False,
    )
    try:
        yield client
    finally:
        await client.close()
