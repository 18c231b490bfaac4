"""A worker that follows another's changelog takes over by reading only its tail, and nothing is lost or doubled."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RunningStack
from runtime_rig import KEYS, Job, Worker


@pytest.fixture
def job(stack: RunningStack, tmp_path: Path) -> Iterator[Job]:
    made = Job(stack.endpoints.kafka, tmp_path, standbys=1)
    yield made
    made.close()


READY = re.compile(r"ready: partitions \[([\d, ]*)\] after [\d.]+ s, (\d+) changelog records read")


def readies(worker: Worker) -> list[tuple[int, int]]:
    """Partitions and changelog records read, of each time that the worker was ready."""
    return [(len(owned.split()), int(read)) for owned, read in READY.findall(worker.text())]


def wait_for(what: str, worker: Worker, partitions: int) -> int:
    deadline = time.monotonic() + 90
    while True:
        if (found := readies(worker)) and found[-1][0] == partitions:
            return found[-1][1]
        assert time.monotonic() < deadline, f"{what}: {worker.text()}"
        time.sleep(0.1)


def test_who_follows_takes_over_with_the_tail_alone_and_stays_exact(job: Job) -> None:
    first = job.worker("first")
    wait_for("the first owns all", first, 4)
    second = job.worker("second")
    wait_for("the second owns half", second, 2)
    wait_for("the first keeps half", first, 2)
    for _ in range(20):  # each flush writes the keys again: the changelogs grow far beyond the state
        job.feed(3 * KEYS)
        job.wait_folded()
    total = sum(job.ends(job.changelog).values())
    time.sleep(2.0)  # so much a standby may lag
    first.kill()
    with job.feeding(3_000, 5.0):
        read = wait_for("the second owns all", second, 4)
    job.wait_folded()
    job.assert_exact()
    assert read < total / 10, f"{read} of {total} changelog records were read again"
    told = [line for line in second.text().splitlines() if line == "renewed" or READY.search(line)]
    before = [told[at - 1] for at, line in enumerate(told) if at and READY.search(line)]
    assert len(before) > 1, told
    assert set(before) == {"renewed"}, "who was erased while another owned the partitions is asked before any is folded"


@pytest.mark.slow
def test_with_followers_and_kills_all_the_time_nothing_is_lost_or_doubled(job: Job) -> None:
    workers = [job.worker(f"w{n}") for n in range(2)]
    with job.feeding(40_000, 24.0):
        for n in range(3):
            time.sleep(7.0)
            workers[n % 2].kill()
            workers[n % 2] = job.worker(f"w{n % 2}")
    job.wait_folded()
    job.assert_exact()
