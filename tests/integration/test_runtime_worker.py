"""One worker on a real broker: restarts, failing folds, transactions in the source, and what it refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import ConfigResource
from conftest import RunningStack
from msgspec.structs import replace
from runtime_rig import Job

from schemas.positions import Position, encode_position

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


def fold_some(job: Job, **config: Any) -> None:
    """Feed, fold, and stop in good order."""
    job.feed(3_000)
    worker = job.worker(**config)
    job.wait_folded()
    assert worker.stop() == 0


def test_a_restart_goes_on_from_the_watermark_even_without_the_groups_offsets(new_job: NewJob) -> None:
    job = new_job(sources=2)
    fold_some(job)
    job.assert_exact()
    flushes = {at: position.flush for at, position in job.came().positions.items()}
    [forgotten] = job.admin.delete_consumer_groups([job.app]).values()
    forgotten.result(10)
    fold_some(job)
    job.assert_exact()
    for at, position in job.came().positions.items():
        assert position.flush > flushes[at], "flush numbers only grow"


def test_the_groups_offsets_follow_the_watermark_though_no_event_follows_a_crash(new_job: NewJob) -> None:
    job = new_job(sources=2)
    fold_some(job)
    [forgotten] = job.admin.delete_consumer_groups([job.app]).values()
    forgotten.result(10)
    worker = job.worker()
    worker.wait_ready()
    wanted = {(topic, number): end for topic in job.sources for number, end in job.ends(topic).items()}
    deadline = time.monotonic() + 60
    while (found := job.committed()) != wanted:
        assert time.monotonic() < deadline, f"the group stands at {found}, the topics end at {wanted}"
        time.sleep(0.1)
    assert worker.stop() == 0


def test_an_idle_worker_folds_nothing_and_writes_nothing(new_job: NewJob) -> None:
    job = new_job()
    fold_some(job)
    before = job.ends(job.changelog)
    worker = job.worker()
    worker.wait_ready()
    assert worker.stop() == 0
    assert job.ends(job.changelog) == before


def test_fausts_own_command_runs_the_same_worker(new_job: NewJob) -> None:
    job = new_job()
    fold_some(job, by_faust=True)
    job.assert_exact()


def test_a_fold_that_stumbles_is_tried_again_in_place(new_job: NewJob) -> None:
    job = new_job()
    job.feed(500)
    job.feed(100, values=b"CLUMSY")
    fold_some(job)
    job.assert_exact()
    assert "attempt 2" in job.logs()


def test_a_fold_that_keeps_failing_stops_the_worker_and_skips_nothing(new_job: NewJob) -> None:
    job = new_job(partitions=1)
    fold_some(job)
    [before] = job.came().positions.values()
    job.feed(1, values=b"POISON")
    job.feed(100)
    worker = job.worker()
    assert worker.wait_exit() == 70
    assert "stopping this worker: counts cannot fold" in worker.text()
    assert "poison" in worker.text()
    [after] = job.came().positions.values()
    assert after.next_offset == before.next_offset
    assert job.lag() == 101


def test_an_agent_that_fails_outside_the_fold_stops_the_worker(new_job: NewJob) -> None:
    job = new_job()
    job.feed(100)
    worker = job.worker(agent_fails=True)
    assert worker.wait_exit() == 70
    assert "failed outside of a fold" in worker.text()
    assert job.lag() == 100


def test_only_committed_transactions_of_the_source_are_counted_and_markers_are_passed(new_job: NewJob) -> None:
    job = new_job(partitions=1)
    producer = Producer({"bootstrap.servers": job.kafka, "transactional.id": job.app})
    producer.init_transactions(10)
    for committed in (True, False, True, False):
        producer.begin_transaction()
        for number in range(50):
            producer.produce(job.sources[0], b"x", key=b"user%d" % number, partition=0)
            job.truth[b"user%d" % number] += committed
        producer.flush(10)
        if committed:
            producer.commit_transaction(10)
        else:
            producer.abort_transaction(10)
    worker = job.worker()
    job.wait_folded()
    job.assert_exact()
    assert worker.stop() == 0


# -- refusals: exit code 78 and one line that says what to do


def assert_refuses(job: Job, line: str, **config: Any) -> None:
    worker = job.worker(**config)
    assert worker.wait_exit() == 78, worker.text()
    assert line in worker.text()
    assert "Traceback" not in worker.text()


def test_a_missing_topic_is_refused(new_job: NewJob) -> None:
    assert_refuses(new_job(), "the topic nowhere does not exist: run `daybook migrate`", sources=["nowhere"])


def test_a_missing_changelog_is_made_and_compacted(new_job: NewJob) -> None:
    job = new_job()
    fold_some(job)
    asked = ConfigResource(ConfigResource.Type.TOPIC, job.changelog)
    assert job.admin.describe_configs([asked])[asked].result(10)["cleanup.policy"].value == "compact"


def test_partition_counts_that_differ_are_refused(new_job: NewJob) -> None:
    job = new_job()
    job.make(job.changelog, partitions=3)
    assert_refuses(job, f"the topic {job.changelog} has 3 partitions and this stream is built for 4")


def test_a_source_topic_that_was_made_again_is_refused(new_job: NewJob) -> None:
    job = new_job()
    fold_some(job)
    job.remake(job.sources[0])
    assert_refuses(job, "was deleted and made again")


def test_a_source_that_lost_unfolded_records_is_refused(new_job: NewJob) -> None:
    job = new_job(partitions=1)
    fold_some(job)
    job.feed(100)
    [future] = job.admin.delete_records([TopicPartition(job.sources[0], 0, 3_050)]).values()
    future.result(10)
    assert_refuses(job, "50 offsets were deleted before they were folded")


def test_a_position_beyond_the_end_of_its_source_is_refused(new_job: NewJob) -> None:
    job = new_job(partitions=1)
    fold_some(job)
    [position] = job.came().positions.values()
    producer = Producer({"bootstrap.servers": job.kafka})
    key, value = encode_position(job.sources[0], replace(position, next_offset=position.next_offset + 10))
    producer.produce(job.changelog, value, key=key, partition=0)
    producer.flush(10)
    assert_refuses(job, "the broker lost events that the state contains")


@pytest.mark.parametrize(
    ("generation", "advice"), [(1, "deploy the newer version"), (3, "an application id of its own")]
)
def test_state_of_another_generation_is_refused(new_job: NewJob, generation: int, advice: str) -> None:
    job = new_job(partitions=1)
    job.make(job.changelog, **{"cleanup.policy": "compact"})
    producer = Producer({"bootstrap.servers": job.kafka})
    key, value = encode_position(job.sources[0], Position(2, 1, "id", 0))
    producer.produce(job.changelog, value, key=key, partition=0)
    producer.flush(10)
    assert_refuses(job, advice, generation=generation)


def test_fausts_own_exactly_once_is_refused(new_job: NewJob) -> None:
    assert_refuses(new_job(), "exactly_once is Faust's own", settings={"processing_guarantee": "exactly_once"})


def test_a_changelog_with_foreign_records_stops_the_worker_instead_of_hanging(new_job: NewJob) -> None:
    job = new_job(partitions=1)
    job.make(job.changelog, **{"cleanup.policy": "compact"})
    producer = Producer({"bootstrap.servers": job.kafka})
    producer.produce(job.changelog, b"?", key=b"\0what", partition=0)
    producer.flush(10)
    worker = job.worker()
    assert worker.wait_exit() == 70
    assert "which is not ours" in worker.text()


def test_a_source_that_is_made_again_while_it_is_folded_is_noticed(new_job: NewJob) -> None:
    job = new_job(verify_every_s=0.5)
    job.feed(1_000)
    worker = job.worker()
    job.wait_folded()
    job.remake(job.sources[0])
    assert worker.wait_exit() == 78
    assert job.sources[0] in worker.text()


def test_a_broker_that_is_not_there_is_one_line(new_job: NewJob) -> None:
    worker = new_job().worker(kafka="127.0.0.1:1", settings={"request_timeout_s": 2.5, "session_timeout_s": 2.0})
    assert worker.wait_exit() == 70
    assert "Kafka at 127.0.0.1:1 does not answer" in worker.text()
    assert "Traceback" not in worker.text()
