"""How much room the stores have, as ClickHouse and Redis say themselves; one that is away does not hide the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
import redis

from daybook import settings, storeroom
from schemas.metrics import Meters
from stack.stack import Stack


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[settings.Settings]:
    folder: Path = tmp_path_factory.mktemp("storeroom")
    stack = Stack(folder)
    try:
        stack.up(["clickhouse", "redis"])
        told = stack.endpoints()
        yield settings.read(data=folder, kafka="127.0.0.1:1", clickhouse=told.clickhouse, redis=told.redis)
    finally:
        stack.down()


def measured(where: settings.Settings, away: type[Exception] | None = None) -> dict[str, float]:
    meters = Meters()
    if away is None:
        storeroom.measure(where, meters)
    else:
        with pytest.raises(away):
            storeroom.measure(where, meters)
    return {" ".join((reading.name, *reading.labels)): float(reading.value) for reading in meters.readings()}


def test_disks_and_memory_are_told_and_a_limit_only_where_there_is_one(stores: settings.Settings) -> None:
    found = measured(stores)
    disk = "clickhouse/default"
    assert 0 < found[f"daybook_disk_free_bytes {disk}"] < found[f"daybook_disk_bytes {disk}"]
    assert found["daybook_redis_memory_bytes"] > 100_000
    with redis.Redis.from_url(stores.address("redis")) as store:
        store.config_set("maxmemory", 123 << 20)
        assert measured(stores)["daybook_redis_memory_limit_bytes"] == 123 << 20
        store.config_set("maxmemory", 0)
    assert "daybook_redis_memory_limit_bytes" not in measured(stores)


def test_one_that_is_away_does_not_hide_the_other(stores: settings.Settings) -> None:
    nowhere = {"clickhouse": "http://x:nobody@127.0.0.1:1/daybook", "redis": "redis://:nobody@127.0.0.1:1/0"}
    told = {name: stores.address(name) for name in ("kafka", "clickhouse", "redis")}
    without = settings.read(data=stores.data, **told | {"clickhouse": nowhere["clickhouse"]})
    assert set(measured(without, clickhouse_connect.driver.exceptions.Error)) >= {"daybook_redis_memory_bytes"}
    without = settings.read(data=stores.data, **told | {"redis": nowhere["redis"]})
    assert "daybook_disk_bytes clickhouse/default" in measured(without, redis.RedisError)
