"""One fault at a time on real servers, each named after the law that it must not break. Minutes: `make test-faults`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest
from faults_cluster import STORES, cluster
from faults_fire import Fire
from faults_kinds import CAN_LIMIT_FILES, SESSION_S, STREAM_POINTS, Act, Scene, at_point, down, frozen, full

from schemas.faultpoints import POINTS

pytestmark = pytest.mark.slow

PROCESSING_AGAIN_S = 10.0


@pytest.fixture(scope="module")
def fire() -> Iterator[Fire]:
    """Three streams workers and one of every other role, for all laws: the judge looks at all events each time."""
    with cluster() as made:
        yield Fire(made)


def test_a_killed_streams_worker_takes_its_partitions_back_within_10_s(fire: Fire) -> None:
    assert fire.under("kill -9 of a streams worker").recovery_s <= PROCESSING_AGAIN_S


def test_the_partitions_of_a_dead_worker_are_taken_over_within_10_s(fire: Fire) -> None:
    assert fire.under("kill -9 of a streams worker, others take over").recovery_s <= PROCESSING_AGAIN_S


@pytest.mark.parametrize("role", STORES)
def test_a_killed_sink_worker_loses_no_row_and_writes_none_twice(fire: Fire, role: str) -> None:
    def kill(scene: Scene, rng: Random) -> Iterator[Act]:
        moment = time.time()
        scene.cluster.kill(scene.worker(rng, scene.cluster.of(role)))
        yield Act(f"kill -9 {role}", (role,), moment=moment)

    fire.under(kill)


@pytest.mark.parametrize("point", POINTS)
def test_it_does_not_matter_at_which_moment_a_worker_is_killed(fire: Fire, point: str) -> None:
    owner = "streams" if point in STREAM_POINTS else point.split(".")[0].replace("sink", "postgres")

    def strike(scene: Scene, rng: Random) -> Iterator[Act]:
        times = 1 if point.startswith(("rebalance", "recovery")) else 3
        yield from at_point(scene, scene.worker(rng, scene.cluster.of(owner)), point, times)

    assert fire.under(strike).effect == "died there"


def test_a_zombie_with_uncommitted_work_writes_nothing_when_it_wakes_up(fire: Fire) -> None:
    fire.under("zombie: a streams worker frozen beyond its session")


@pytest.mark.parametrize("point", ["flush.drained", "flush.sent"])
def test_a_zombie_frozen_within_its_transaction_is_refused_by_the_broker(fire: Fire, point: str) -> None:
    def strike(scene: Scene, rng: Random) -> Iterator[Act]:
        worker = scene.worker(rng, scene.cluster.of("streams"))
        life = worker.lives + 2
        scene.cluster.kill(worker, armed=f"{point}=freeze@3")
        act = Act(f"{worker} frozen at {point}", ("streams",), SESSION_S + 12)
        yield act
        scene.cluster.thaw(worker)
        deadline = time.monotonic() + 30
        while worker.lives < life and time.monotonic() < deadline:
            time.sleep(0.1)
        act.effect = "stopped" if worker.lives >= life else "goes on"

    assert fire.under(strike).effect == "stopped"


@pytest.mark.parametrize("role", STORES)
def test_a_zombie_of_a_sink_overwrites_nothing_newer(fire: Fire, role: str) -> None:
    def strike(scene: Scene, rng: Random) -> Iterator[Act]:
        second = scene.cluster.add(role)
        scene.cluster.wait_ready()
        yield from frozen(scene, scene.worker(rng, scene.cluster.of(role)), SESSION_S + 3, "frozen")
        scene.cluster.remove(second)

    fire.under(strike)


@pytest.mark.parametrize(
    "kind",
    [
        "a streams worker stands still for a moment",
        "a streams worker added, removed later",
        "a streams worker removed, added later",
        "a sink worker added, removed later",
    ],
)
def test_who_comes_and_goes_changes_nothing(fire: Fire, kind: str) -> None:
    fire.under(kind)


def test_a_worker_that_is_asked_to_stop_while_the_broker_is_away_stops(fire: Fire) -> None:
    def strike(scene: Scene, rng: Random) -> Iterator[Act]:
        worker = scene.worker(rng, scene.cluster.of("streams"))
        scene.cluster.stack.kill("kafka")
        try:
            time.sleep(1)
            code = scene.cluster.remove(worker)
        finally:
            scene.cluster.stack.start("kafka")
        scene.cluster.add("streams", worker.name)
        yield Act(f"{worker} stopped while the broker was away", ("streams",), effect=f"exit code {code}")

    fire.under(strike)


def test_a_storm_of_rebalances_ends_exact(fire: Fire) -> None:
    """A worker joins or leaves every 3 s, for a minute."""

    def strike(scene: Scene, rng: Random) -> Iterator[Act]:
        end = time.monotonic() + 60
        codes = []
        while time.monotonic() < end:
            worker = scene.cluster.add("streams")
            time.sleep(3)
            codes.append(scene.cluster.remove(worker))
            time.sleep(3)
        yield Act("a minute of joins and leaves", ("streams",), effect=f"exit codes {codes}")

    fire.under(strike)


def test_a_bounced_broker_loses_no_event(fire: Fire) -> None:
    for seed in (1, 2):  # one of them stops it, the other kills it
        fire.under("the broker bounced", seed=seed)


def test_postgres_may_be_away_for_30_s(fire: Fire) -> None:
    fire.under(lambda scene, rng: down(scene, "postgres", 30, hard=False))


@pytest.mark.parametrize("store", STORES)
def test_a_store_that_is_killed_gets_every_row_when_it_is_back(fire: Fire, store: str) -> None:
    fire.under(lambda scene, rng: down(scene, store, 5, hard=True))


def test_an_emptied_redis_is_filled_again(fire: Fire) -> None:
    fire.under("Redis flushed and restarted")


@pytest.mark.parametrize("store", STORES)
def test_a_full_disk_delays_rows_and_loses_none(fire: Fire, store: str) -> None:
    if store != "clickhouse" and not CAN_LIMIT_FILES:
        pytest.skip("the files of another process cannot be limited here")
    fire.under(lambda scene, rng: full(scene, store, 6))


@pytest.mark.parametrize("kind", ["a slow store", "a store stands still for a moment", "connections to a store cut"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_store_that_is_hard_to_reach_delays_rows_and_loses_none(fire: Fire, kind: str, seed: int) -> None:
    fire.under(kind, seed=seed)


@pytest.mark.parametrize("kind", ["poison among good events", "1 % bad events", "100 % bad events"])
def test_bad_events_are_filed_once_and_stop_nobody(fire: Fire, kind: str) -> None:
    fire.under(kind)


def test_at_the_end_of_all_faults_the_live_check_finds_nothing(fire: Fire) -> None:
    fire.judge(live=True)
