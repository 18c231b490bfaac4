"""Workers that join, die and freeze on a real broker: every record is counted once, in state and rows alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import RunningStack
from runtime_rig import Job

NewJob = Callable[..., Job]


@pytest.fixture
def new_job(stack: RunningStack, tmp_path: Path) -> Iterator[NewJob]:
    jobs: list[Job] = []

    def make(**options: Any) -> Job:
        jobs.append(Job(stack.endpoints.kafka, tmp_path, **options))
        return jobs[-1]

    yield make
    for job in jobs:
        job.close()


def test_joins_kills_and_a_freeze_count_every_record_once(new_job: NewJob) -> None:
    job = new_job(sources=3, session_timeout_s=2.0, heartbeat_interval_s=0.5)
    with job.feeding(100_000, seconds=11):
        a = job.worker("a")
        a.wait_ready()
        b = job.worker("b")
        b.wait_ready()
        for pause in (0.9, 0.2, 0.5):
            time.sleep(pause)
            b.kill()
            b = job.worker("b")
            b.wait_ready()
        time.sleep(0.5)
        b.freeze()
        time.sleep(3.0)
        b.thaw()
        c = job.worker()
        c.wait_ready()
    job.wait_folded()
    job.assert_exact()
    assert a.stop() == 0
    assert c.stop() == 0
    assert b.process.poll() in (None, 70), "a zombie goes on or stops to stay exact, nothing else"


def zombie(job: Job, **config: Any) -> int | None:
    """Freeze a worker that holds folded, uncommitted records beyond its session, let another one go on, thaw it.

    What it holds touches few keys and the other one goes on with all of them: were it written late, the watermark would
    go back further than the state.
    """
    job.feed(20_000)
    first = job.worker("first", **config)
    first.wait_ready()
    job.wait_folded()
    job.feed(200)  # folded within a moment, committed after the pause between two flushes, which is long here
    time.sleep(0.7)
    first.freeze()
    second = job.worker("second", **config)
    second.wait_ready()
    job.feed(20_000)
    job.wait_folded()
    first.thaw()
    time.sleep(1.5)
    if first.process.poll() is None:
        job.wait_folded()
        first.stop()
    second.stop()
    return first.process.poll()


SLOW_FLUSHES = {"session_timeout_s": 2.0, "heartbeat_interval_s": 0.5, "flush_interval_s": 1.5}


def test_a_zombie_with_work_in_memory_is_refused_and_stops(new_job: NewJob) -> None:
    job = new_job(**SLOW_FLUSHES)
    assert zombie(job) == 70
    assert "ProducerFenced" in job.workers[0].text()
    job.assert_exact()


@pytest.mark.slow
def test_without_the_fence_the_same_zombie_spoils_the_state(new_job: NewJob) -> None:
    job = new_job(**SLOW_FLUSHES)
    zombie(job, unfenced=True)
    with pytest.raises(AssertionError):
        job.assert_exact()


@pytest.mark.slow
def test_minutes_of_joins_kills_and_freezes_count_every_record_once(new_job: NewJob) -> None:
    job = new_job(sources=3, partitions=8, session_timeout_s=2.0, heartbeat_interval_s=0.5)
    with job.feeding(1_500_000, seconds=90):
        keeper = job.worker("keeper")
        keeper.wait_ready()
        for round_ in range(8):
            other = job.worker(f"other{round_ % 2}" if round_ % 3 else None)
            other.wait_ready()
            time.sleep(0.3 * (round_ % 4))
            if round_ % 3 == 2:
                assert other.stop() == 0
                continue
            if round_ % 2:
                other.freeze()
                time.sleep(3.0)
                other.thaw()
                time.sleep(1.0)
            other.kill()
    job.wait_folded(120)
    job.assert_exact()
    assert keeper.process.poll() is None
