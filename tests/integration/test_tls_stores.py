"""The stores over TLS, as settings name them: who shows a certificate of this installation is talked to, nobody else.

The servers here are built without TLS or have none of their own, so tests/tls_front.py stands before them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import redis
from secure_kafka import certificates
from tls_front import front

from daybook import settings
from sinks.base import SinkError
from sinks.clickhouse import client as clickhouse
from sinks.postgres.sink import PostgresSink
from stack.stack import Stack

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the script of the certificates wants openssl")
Addresses = dict[str, str]


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("others"))


@pytest.fixture(scope="module")
def addresses(certified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """The stores of a folder, with TLS in front."""
    servers = Stack(tmp_path_factory.mktemp("stores"), say=lambda line: None)
    with ExitStack() as held:
        held.callback(servers.down)
        ends = servers.up(["postgres", "redis", "clickhouse"])

        def behind(url: str, server: str) -> str:
            port = int(url.rpartition(":")[2].partition("/")[0])
            mine = held.enter_context(front(port, certified / f"{server}.pem", postgres=server == "postgres"))
            return url.replace(f":{port}/", f":{mine}/")

        yield {
            "postgres": behind(ends.postgres, "postgres") + "?sslmode=verify-full",
            "clickhouse": behind(ends.clickhouse, "clickhouse").replace("http://", "https://"),
            "redis": behind(ends.redis, "redis").replace("redis://", "rediss://"),
        }


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[[Addresses, Path], settings.Settings]:
    def told(addresses: Addresses, ca: Path) -> settings.Settings:
        for server, address in addresses.items():
            monkeypatch.setenv(f"DAYBOOK_{server.upper()}", address)
        monkeypatch.setenv("DAYBOOK_CA", str(ca))
        return settings.read(kafka="127.0.0.1:1")

    return told


def ask_postgres(found: settings.Settings) -> object:
    with psycopg.connect(found.address("postgres"), connect_timeout=5) as connection:
        assert connection.pgconn.ssl_in_use
        return connection.execute("SELECT 1").fetchone()


def ask_clickhouse(found: settings.Settings) -> object:
    with clickhouse.dial(found.address("clickhouse")) as client:
        return client.query("SELECT 1").result_rows[0]


def ask_redis(found: settings.Settings) -> object:
    with redis.Redis.from_url(found.address("redis")) as store:
        return (int(store.ping()),)


ASK: dict[str, Callable[[settings.Settings], object]] = {
    "postgres": ask_postgres,
    "clickhouse": ask_clickhouse,
    "redis": ask_redis,
}


@pytest.mark.parametrize("server", ASK)
def test_a_store_with_a_certificate_of_ours_is_talked_to(
    server: str, addresses: Addresses, certified: Path, tell: Callable[[Addresses, Path], settings.Settings]
) -> None:
    assert ASK[server](tell(addresses, certified / "ca.pem")) == (1,)


@pytest.mark.parametrize("server", ASK)
def test_one_with_a_certificate_of_somebody_else_is_not(
    server: str, addresses: Addresses, others: Path, tell: Callable[[Addresses, Path], settings.Settings]
) -> None:
    with pytest.raises(Exception, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        ASK[server](tell(addresses, others / "ca.pem"))


@pytest.mark.parametrize("server", ASK)
def test_nor_one_whose_certificate_names_another_host(
    server: str, addresses: Addresses, certified: Path, tell: Callable[[Addresses, Path], settings.Settings]
) -> None:
    # The same address to the system, under a name that stands in no certificate.
    moved = {**addresses, server: addresses[server].replace("@127.0.0.1:", "@127.1:")}
    if server == "postgres":
        moved = {**addresses, server: addresses[server].replace("@127.0.0.1:", "@other.test:") + "&hostaddr=127.0.0.1"}
    with pytest.raises(Exception, match=r"(?i)certificate.*(match|verify failed)|hostname"):
        ASK[server](tell(moved, certified / "ca.pem"))


async def test_the_sinks_own_clients_speak_it_too(
    addresses: Addresses, certified: Path, others: Path, tell: Callable[[Addresses, Path], settings.Settings]
) -> None:
    found = tell(addresses, certified / "ca.pem")
    async with clickhouse.connected(found.address("clickhouse")) as client:
        assert (await client.query("SELECT 1")).result_rows == [(1,)]
    sink = PostgresSink(found.address("postgres"))
    with pytest.raises(SinkError, match=r"daybook migrate|daybook_writer"):  # it came as far as that
        await sink.open()
    await sink.close()
    other = tell(addresses, others / "ca.pem")
    with pytest.raises(SinkError, match="certificate"):
        await PostgresSink(other.address("postgres")).open()
