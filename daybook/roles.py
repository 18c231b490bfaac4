"""What a worker process does: one role, until SIGTERM or Ctrl-C; or all of them, as processes of their own."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from daybook import defining, exporter, generations, suppressing, workers
from daybook.errors import Problem
from daybook.heartbeat import Heartbeat
from daybook.observe import logs
from daybook.observe.tracing import tracing
from daybook.settings import Settings, read
from sinks.base import SinkError

if TYPE_CHECKING:
    from streams.runtime import ChunkApp

_POLL_S = 0.1
STREAMS = {
    "streams": "streams.daily.agent",
    "progress": "streams.progress.agent",
    "trending": "streams.trending.agent",
    "lists": "streams.trending.listing",
    "affinity": "streams.affinity.agent",
}
"""Role → the module that builds its Faust app."""
OF_USERS = ("streams", "progress", "trending", "affinity")
"""Streams that keep users, and none who was erased."""
YIELDING = ("affinity", "audit", "loader")
"""Best effort, or in no hurry: on a machine that they share with the other roles those come first."""
_NICE = 10


def run(role: str, settings: Settings) -> None:
    """Run one role, or all of them, in the foreground; returns or exits when it was told to stop."""
    if role == "all":
        return _run_all(settings)
    if role in YIELDING and workers.READY_FILE in os.environ:  # `up` started it, beside the others
        give_way()
    logs.configure(settings.log_format)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    with workers.last_words(), workers.readiness(settings) as ready:
        try:
            if role in STREAMS:
                _stream(settings, role, ready)
            if role == "api":  # it runs while Kafka is down, and says so
                from daybook import serving

                return serving.run(settings, ready)
            generation, partitions, _ = generations.admit(settings.address("kafka"))
            if role in ("loader", "audit"):
                _without_topics(settings, role, generation, partitions, ready)
            else:
                _sink(settings, role, generation, ready)
        except (Problem, SinkError):
            raise
        except Exception:
            logging.exception("the worker %s ends because of an error that nobody expected", role)
            raise


def give_way() -> None:
    """Leave the processor to the other processes of this machine when they want it.

    Linux with autogroups shares it out between sessions first (sched(7)), so there it is the session's to say.
    """
    os.nice(_NICE)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICE), encoding="ascii")


def _without_topics(
    settings: Settings, role: str, generation: int, partitions: int, ready: Callable[[str], None]
) -> None:
    watch = exporter.WithoutTopics()
    address = exporter.serve(settings, role, watch, generation)
    if role == "audit":
        from daybook import audit

        audit.run(settings, partitions, watch, lambda: ready(address))
    else:
        from daybook import loading

        loading.run(settings, lambda: ready(address))


def _sink(settings: Settings, role: str, generation: int, ready: Callable[[str], None]) -> None:
    from daybook import sinking
    from sinks.watching import SinkWatch

    watch = SinkWatch(role)
    address = exporter.serve(settings, role, watch, generation)
    sinking.run(settings, role, lambda: ready(address), watch)


def stream(settings: Settings, role: str = "streams") -> ChunkApp:
    """The Faust app of one of STREAMS for these servers."""
    agent = import_module(STREAMS[role])
    bootstrap = settings.address("kafka")
    generation, partitions, state_format = generations.admit(bootstrap)
    app: ChunkApp = agent.build(
        bootstrap,
        partitions=partitions,
        generation=generation,
        state_format=state_format,
        worker_name=settings.name_of(role),
        **(_erased(settings) if role in OF_USERS else {}),
        **({**_old_days(settings), "in_force": defining.known(settings)} if role == "streams" else {}),
        standbys=settings.standbys,
        rejects_share=settings.rejects_share,
        rejects_run=settings.rejects_run,
        stuck_after_s=settings.stuck_after_s,
        tracing=tracing(settings, role),
        log_every_s=settings.log_every_s,
        **({"by_event_time": settings.trending_clock == "event"} if role == "trending" else {}),
    )
    return app


def _erased(settings: Settings) -> dict[str, Any]:
    erased = suppressing.known(settings)
    return {"erased": erased, "renew": suppressing.renewing(settings, erased)}


def as_settings_say(role: str) -> ChunkApp:
    """The Faust app of one of STREAMS for `faust -A`, by the settings; a problem is one line, and ends the process."""
    try:
        return stream(read(), role)
    except Problem as why:
        sys.exit(f"daybook: {why}")


def _old_days(settings: Settings) -> dict[str, Any]:
    """How much of its state the daily stream keeps, and where."""
    cold = settings.data / "state" / settings.name_of("streams") if settings.state == "rocksdb" else None
    return {"hot_days": settings.hot_days, "quiet_s": settings.quiet_s, "cold": cold}


def _stream(settings: Settings, role: str, ready: Callable[[str], None]) -> NoReturn:
    from streams.runtime import run_worker
    from streams.runtime.watching import StreamWatch

    app = stream(settings, role)
    watch = StreamWatch(app)
    address = exporter.serve(settings, role, watch, app.generation)

    async def tell() -> None:
        await app.tables.recovery.completed.wait()
        ready(address)

    app.task(tell)
    heart = Heartbeat(role, settings.stuck_after_s, watch.oldest_s)

    async def beat() -> None:
        await heart.beat()

    app.task(beat)
    run_worker(app)


def _run_all(settings: Settings) -> None:
    """All roles as children of this process: SIGTERM reaches each, and where one ends the others are stopped too."""
    environment = {name: value for name, value in os.environ.items() if name != workers.READY_FILE}
    if settings.worker_name is not None:
        environment["DAYBOOK_WORKER_NAME"] = settings.worker_name
    children = {
        role: subprocess.Popen(
            [sys.executable, "-m", "daybook", "worker", "--role", role, "--data", settings.data],
            env=environment,
            start_new_session=True,
        )
        for role in workers.ROLES
    }
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    while not asked and all(child.poll() is None for child in children.values()):
        time.sleep(_POLL_S)
    ended = {role: child.returncode for role, child in children.items() if child.poll() is not None}
    for child in children.values():
        child.terminate()
    for child in children.values():
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=workers.STOP_TIMEOUT_S)
        child.kill()
        child.wait()
    if ended and not asked:
        raise Problem("; ".join(f"the worker {role} ended with code {code}" for role, code in ended.items()))
