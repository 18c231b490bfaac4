"""Every kind of fault: how it begins, how long it lasts, how it ends, and who has to process again afterwards.

A kind is a generator: it begins the fault, yields what it did, and goes on when the time is over to end it. It holds
what it hurts, so that faults overlap but never two of them on one server or one worker.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random

import clickhouse_connect
import psutil
import redis
from faults_cluster import STORES, Cluster, Worker
from faults_feeder import Feeder
from faults_watch import Watch

from producers.dice import between, pick
from schemas.faultpoints import POINTS
from schemas.tables import TABLES
from stack.process import Process

SESSION_S = 6.0
"""A member that is silent for longer is taken for dead (streams/runtime/tuning.py, sinks/source.py)."""
STREAM_POINTS = tuple(point for point in POINTS if point.startswith(("rebalance", "recovery", "flush")))
CAN_LIMIT_FILES = hasattr(psutil, "RLIMIT_FSIZE")
"""Whether this system lets one process limit another's files (Linux); elsewhere a full disk needs root."""


class Busy(Exception):
    """What this kind would hurt is being hurt already."""


@dataclass
class Act:
    """A fault that has begun."""

    what: str
    waits_for: tuple[str, ...]
    """Who must process again once it is over: streams, or the roles of sinks."""
    for_s: float = 0.0
    effect: str = ""
    moment: float = 0.0
    """From when on the recovery counts; 0: from the end of the fault."""
    recovery_s: float = 0.0


@dataclass
class Scene:
    """What a fault may touch."""

    cluster: Cluster
    watch: Watch
    feeder: Feeder
    _held: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Be the only fault that hurts it; raises Busy."""
        with self._lock:
            if name in self._held:
                raise Busy(name)
            self._held.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(name)

    def worker(self, rng: Random, workers: list[Worker]) -> Worker:
        """One that works and that nobody hurts; raises Busy."""
        fit = [worker for worker in workers if worker.ready and not worker.frozen and str(worker) not in self._held]
        if not fit:
            raise Busy("workers")
        return pick(rng, fit)


Kind = Callable[[Scene, Random], Iterator[Act]]
KINDS: dict[str, Kind] = {}
"""By the name that the report uses."""


def kind(name: str) -> Callable[[Kind], Kind]:
    def register(function: Kind) -> Kind:
        KINDS[name] = function
        return function

    return register


# -- workers


@kind("kill -9 of a streams worker")
def kill_streams(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.folders)
    with scene.hold(str(worker)):
        moment = time.time()
        scene.cluster.kill(worker)
        yield Act(f"kill -9 {worker}, started again at once", (worker.role,), moment=moment)


@kind("kill -9 of a streams worker, others take over")
def take_over(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.of("streams"))
    with scene.hold(str(worker)):
        moment = time.time()
        scene.cluster.kill(worker, again_after_s=SESSION_S + 9)
        yield Act(f"kill -9 {worker}, away for {SESSION_S + 9:.0f} s", ("streams",), 2.0, moment=moment)


@kind("kill -9 of a sink worker")
def kill_sink(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.sinks)
    with scene.hold(str(worker)):
        moment = time.time()
        scene.cluster.kill(worker)
        yield Act(f"kill -9 {worker}, started again at once", (worker.role,), moment=moment)


def at_point(scene: Scene, worker: Worker, point: str, times: int) -> Iterator[Act]:
    """The worker is killed, and in its next life again, at the point."""
    with scene.hold(str(worker)):
        lives, deadline = worker.lives, time.monotonic() + 30
        scene.cluster.kill(worker, armed=f"{point}=kill@{times}")
        act = Act(f"{worker} killed at {point}, time {times}", (worker.role,))
        yield act
        another: Worker | None = None
        while worker.lives < lives + 2 and time.monotonic() < deadline and scene.feeder.running:
            time.sleep(0.02)
            if point == "rebalance.revoked" and another is None and worker.lives > lives and worker.ready:
                another = scene.cluster.add("streams")
        act.effect = "died there" if worker.lives >= lives + 2 else "not reached"
        if another is not None:
            scene.cluster.wait_ready()
            scene.cluster.remove(another)


@kind("kill -9 of a streams worker at a fault point")
def kill_streams_at_point(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.folders)
    point = pick(rng, [name for name in STREAM_POINTS if name != "rebalance.revoked"])
    yield from at_point(scene, worker, point, between(rng, 1, 40) if point.startswith("flush") else 1)


@kind("kill -9 of a sink worker at a fault point")
def kill_sink_at_point(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.sinks)
    own = [point for point in POINTS if point.startswith(("sink", worker.role))]
    yield from at_point(scene, worker, pick(rng, own), between(rng, 1, 10))


def frozen(scene: Scene, worker: Worker, seconds: float, what: str) -> Iterator[Act]:
    with scene.hold(str(worker)):
        life = worker.lives
        scene.cluster.freeze(worker)
        act = Act(f"{worker} {what} for {seconds:.1f} s", (worker.role,), seconds)
        yield act
        scene.cluster.thaw(worker)
        time.sleep(1.0)
        act.effect = "goes on" if worker.lives == life and worker.alive else "stopped to stay exact"


@kind("zombie: a streams worker frozen beyond its session")
def zombie_streams(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.folders)
    yield from frozen(scene, worker, SESSION_S + 2 + 3 * rng.random(), "frozen")


@kind("zombie: a sink worker frozen beyond its session")
def zombie_sink(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.sinks)
    yield from frozen(scene, worker, SESSION_S + 2 + 3 * rng.random(), "frozen")


@kind("a streams worker stands still for a moment")
def pause_streams(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.folders)
    yield from frozen(scene, worker, 0.5 + 3 * rng.random(), "stands still")


@kind("a streams worker added, removed later")
def add_streams(scene: Scene, rng: Random) -> Iterator[Act]:
    with scene.hold("an added streams worker"):
        worker = scene.cluster.add("streams")
        with scene.hold(str(worker)):
            act = Act(f"{worker} added", ("streams",), 6 + 8 * rng.random())
            yield act
            act.effect = f"removed, exit code {scene.cluster.remove(worker)}"


@kind("a streams worker removed, added later")
def remove_streams(scene: Scene, rng: Random) -> Iterator[Act]:
    worker = scene.worker(rng, scene.cluster.of("streams"))
    if len(scene.cluster.of("streams")) < 3:
        raise Busy("streams")
    with scene.hold(str(worker)):
        code = scene.cluster.remove(worker)
        act = Act(f"SIGTERM {worker}", ("streams",), 3 + 8 * rng.random(), f"exit code {code}")
        yield act
        scene.cluster.add("streams", worker.name)


@kind("a sink worker added, removed later")
def add_sink(scene: Scene, rng: Random) -> Iterator[Act]:
    role = pick(rng, STORES)
    with scene.hold(f"an added {role} worker"):
        worker = scene.cluster.add(role)
        with scene.hold(str(worker)):
            act = Act(f"{worker} added", (role,), 6 + 8 * rng.random())
            yield act
            act.effect = f"removed, exit code {scene.cluster.remove(worker)}"


# -- servers


@kind("the broker bounced")
def bounce_broker(scene: Scene, rng: Random) -> Iterator[Act]:
    with scene.hold("kafka"):
        hard = rng.random() < 0.5
        if hard:
            scene.cluster.stack.kill("kafka")
        else:
            scene.cluster.stack.stop("kafka")
        yield Act(f"the broker {'killed with -9' if hard else 'stopped'}", ("streams", *STORES), 2 * rng.random())
        scene.cluster.stack.start("kafka")


def down(scene: Scene, store: str, seconds: float, *, hard: bool) -> Iterator[Act]:
    with scene.hold(store):
        if hard:
            scene.cluster.stack.kill(store)
        else:
            scene.cluster.stack.stop(store)
        yield Act(f"{store} {'killed with -9' if hard else 'stopped'}, away for {seconds:.0f} s", (store,), seconds)
        scene.cluster.stack.start(store)


@kind("PostgreSQL down")
def postgres_down(scene: Scene, rng: Random) -> Iterator[Act]:
    yield from down(scene, "postgres", 3 + 12 * rng.random(), hard=rng.random() < 0.6)


@kind("ClickHouse's front down")
def clickhouse_down(scene: Scene, rng: Random) -> Iterator[Act]:
    yield from down(scene, "clickhouse", 2 + 8 * rng.random(), hard=rng.random() < 0.6)


@kind("Redis flushed and restarted")
def redis_flushed(scene: Scene, rng: Random) -> Iterator[Act]:
    with scene.hold("redis"):
        with redis.Redis.from_url(scene.cluster.servers.address("redis")) as client:
            client.flushall()
        if rng.random() < 0.5:
            scene.cluster.stack.kill("redis")
        else:
            scene.cluster.stack.stop("redis")
        yield Act("Redis flushed and restarted", ("redis",), 2 * rng.random())
        scene.cluster.stack.start("redis")


@kind("a store's disk full")
def disk_full(scene: Scene, rng: Random) -> Iterator[Act]:
    yield from full(scene, pick(rng, STORES if CAN_LIMIT_FILES else ("clickhouse",)), 4 + 4 * rng.random())


FILE_LIMIT = {"postgres": 64 << 10, "redis": 4096}
"""Bytes that a file may have at most while the disk is full; both have files that are longer."""


def full(scene: Scene, store: str, seconds: float) -> Iterator[Act]:
    """PostgreSQL, Redis: no file of the server may grow (RLIMIT_FSIZE), so writes fail.

    ClickHouse asks how much is free before it writes, so it is told that what is free is too little.
    """
    with scene.hold(store):
        if store == "clickhouse":
            _reserve(scene, 1 << 60)
            yield Act(f"the disk of {store} full for {seconds:.0f} s", (store,), seconds)
            _reserve(scene, 0)
            return
        pid = Process(scene.cluster.folder, store).pid()
        limit_files(pid, FILE_LIMIT[store])
        act = Act(f"the disk of {store} full for {seconds:.0f} s", (store,), seconds)
        yield act
        alive = Process(scene.cluster.folder, store).pid() == pid
        limit_files(pid, psutil.RLIM_INFINITY)
        if not (alive and _answers(scene, store)):
            with suppress(Exception):
                scene.cluster.stack.kill(store)
            scene.cluster.stack.start(store)
        act.effect = "the server went on" if alive else "the server died of it"


def _reserve(scene: Scene, free_bytes: int) -> None:
    with clickhouse_connect.get_client(dsn=scene.cluster.servers.address("clickhouse")) as client:
        for table in (table.clickhouse for table in TABLES if table.clickhouse):
            client.command(f"ALTER TABLE {table} MODIFY SETTING min_free_disk_bytes_to_perform_insert = {free_bytes}")


def _answers(scene: Scene, store: str) -> bool:
    return any(s.name == store and s.healthy for s in scene.cluster.stack.status())


def limit_files(pid: int | None, most: int) -> None:
    """The soft limit of a process and its children; without root it can be raised again up to the hard one."""
    if pid is None:
        return
    with suppress(psutil.Error):
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with suppress(psutil.Error):
                hard = process.rlimit(psutil.RLIMIT_FSIZE)[1]
                process.rlimit(psutil.RLIMIT_FSIZE, (hard if most == psutil.RLIM_INFINITY else most, hard))


@kind("a slow store")
def slow_store(scene: Scene, rng: Random) -> Iterator[Act]:
    store, delay = pick(rng, STORES), 0.05 + 0.2 * rng.random()
    with scene.hold(f"the way to {store}"):
        scene.cluster.proxies[store].delay_s = delay
        seconds = 4 + 6 * rng.random()
        yield Act(f"{store} slow: {1000 * delay:.0f} ms a piece, for {seconds:.0f} s", (store,), seconds)
        scene.cluster.proxies[store].delay_s = 0.0


@kind("a store stands still for a moment")
def frozen_store(scene: Scene, rng: Random) -> Iterator[Act]:
    store = pick(rng, STORES)
    with scene.hold(store):
        scene.cluster.stack.kill(store, signal.SIGSTOP)
        seconds = 1 + 4 * rng.random()
        yield Act(f"{store} stands still for {seconds:.1f} s", (store,), seconds)
        scene.cluster.stack.kill(store, signal.SIGCONT)


@kind("connections to a store cut")
def cut(scene: Scene, rng: Random) -> Iterator[Act]:
    store = pick(rng, STORES)
    with scene.hold(f"the way to {store}"):
        cuts = 0
        for _ in range(3):
            cuts += scene.cluster.proxies[store].cut()
            time.sleep(0.3 * rng.random())
        yield Act(f"connections to {store} cut three times", (store,), 0.0, f"{cuts} connections")


# -- events


@kind("poison among good events")
def poison(scene: Scene, rng: Random) -> Iterator[Act]:
    scene.feeder.order("poison")
    yield Act("poison among good events", ("streams", *STORES))


@kind("1 % bad events")
def one_percent_bad(scene: Scene, rng: Random) -> Iterator[Act]:
    seconds = 3 + 5 * rng.random()
    scene.feeder.order(f"bad 0.01 {seconds}")
    yield Act(f"1 % bad events for {seconds:.0f} s", ("streams",), seconds)


@kind("100 % bad events")
def only_bad(scene: Scene, rng: Random) -> Iterator[Act]:
    count = between(rng, 50, 800)
    scene.feeder.order(f"only-bad {count}")
    yield Act(f"{count} bad events in a row", ("streams",))
