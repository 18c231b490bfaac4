"""A connection to ClickHouse over HTTP, by URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver import Client

from sinks.address import shown
from sinks.base import Stop
from sinks.clickhouse.cluster import SETTINGS as CLUSTER
from sinks.clickhouse.retry import ERRORS, judge


async def connect(url: str) -> Any:
    """An asynchronous client; `url` is http(s)://user:password@host:port/database. Raises what `judge` says."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Stop(f"{shown('ClickHouse', url)}: expected a URL as http://user:password@host:port/database")
    said = dict(parse_qsl(parts.query))
    tls: dict[str, Any] = {name: said.pop(name) for name in ("ca_cert", "server_host_name") if name in said}
    asked = {name: value for name, value in said.items() if name in CLUSTER}
    try:
        return await clickhouse_connect.get_async_client(
            interface=parts.scheme,
            host=parts.hostname,
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or "default",
            autogenerate_session_id=False,
            connect_timeout=5,
            send_receive_timeout=100,
            settings=asked,
            **tls,
        )
    except ERRORS as why:
        raise judge(why, shown("ClickHouse", url)) from why


def dial(url: str, **options: Any) -> Client:
    """A synchronous client, for commands and questions beside the sink; `options` as of clickhouse_connect.get_client.

    Without a session, so that several may ask at once. The scheme says whether TLS is spoken, whatever the port.
    """
    return clickhouse_connect.get_client(
        **{"interface": urlsplit(url).scheme, "autogenerate_session_id": False, **options, "dsn": url}
    )


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """A client for a while; its errors are raised as what `judge` says."""
    client = await connect(url)
    try:
        yield client
    except ERRORS as why:
        raise judge(why, shown("ClickHouse", url)) from why
    finally:
        await client.close()
