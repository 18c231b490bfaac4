"""Refused events on a real stack: listed, shown, replayed and counted once; a worker stops at the limit and goes on."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import clickhouse_connect
import confluent_kafka
import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from command_line import CLEAN
from command_line import daybook as daybook_process
from poison import NAME, PoisonedBuilder

from daybook.cli import run
from schemas.instants import MS_PER_DAY
from schemas.receipt import HEADER, header
from schemas.rows import RejectedRow, encode_row, rejected_key
from streams.runtime.batches import FilledBatch

RUN = 20
NOW_MS = int(time.time() * 1000)


@pytest.fixture
def folder(shared: Path) -> Path:
    """A data folder in which all runs, with a low limit of refusals."""
    return shared


def daybook(*arguments: object) -> subprocess.CompletedProcess[str]:
    """One command in this process, which is quicker than in one of its own."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(word) for word in arguments])
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def up(folder: Path) -> subprocess.CompletedProcess[str]:
    log = folder.parent / "up.log"  # a pipe would stay open in what goes on running
    command = [sys.executable, "-m", "daybook", "up", "--detach", "--partitions", "2", "--data", str(folder)]
    with log.open("w") as out:
        done = subprocess.run(
            command, stdout=out, stderr=out, env={**CLEAN, "DAYBOOK_REJECTS_RUN": str(RUN)}, timeout=180
        )
    return subprocess.CompletedProcess(command, done.returncode, "", log.read_text())


def address(folder: Path, server: str) -> str:
    lines = daybook("env", "--data", folder).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)[f"DAYBOOK_{server.upper()}"]


def meal(user: str, entity: str, time: str = "2026-03-01T12:31:00+01:00", **more: Any) -> bytes:
    event = {"specversion": "1.0", "id": entity, "source": "ios/5.2.0", "type": "meal.logged", "subject": user}
    data = {"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": 100}]}
    return json.dumps({**event, "time": time, "data": data, **more}).encode()


def produce(
    folder: Path,
    topic: str,
    records: Sequence[tuple[bytes | None, bytes | None]],
    headers: Any = None,
    partition: int = 0,
) -> list[int]:
    """Write records as any client could; their offsets."""
    producer = confluent_kafka.Producer({"bootstrap.servers": address(folder, "kafka"), "log_level": 0})
    offsets: list[int] = []
    for key, value in records:
        producer.produce(
            topic, value, key, partition, headers=headers, on_delivery=lambda error, told: offsets.append(told.offset())
        )
    assert producer.flush(10) == 0
    return offsets


def settled(folder: Path) -> None:
    done = daybook("wait", "--timeout", 90, "--data", folder)
    assert done.returncode == 0, done.stderr


def counts(folder: Path) -> dict[str, int]:
    client = clickhouse_connect.get_client(dsn=address(folder, "clickhouse"), autogenerate_session_id=False)
    names = ("received", "applied", "duplicate", "superseded", "rejected")
    sums = ", ".join(f"sum({name})" for name in names)
    row = client.query(f"SELECT {sums} FROM positions_current WHERE topic = 'meals'").result_rows[0]
    found = dict(zip(names, map(int, row), strict=True))
    assert found["received"] == sum(found[name] for name in names[1:])
    return found


def energy(folder: Path, user: str) -> float | None:
    with psycopg.connect(address(folder, "postgres")) as connection:
        row = connection.execute(
            "SELECT sum(energy_kcal) FROM user_metrics_daily WHERE user_id = %s", (user,)
        ).fetchone()
    return None if row is None else row[0]


def ends(folder: Path) -> list[int]:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address(folder, "kafka"), "group.id": "looks"})
    at = [confluent_kafka.TopicPartition("meals", number) for number in (0, 1)]
    found = [consumer.get_watermark_offsets(tp)[1] for tp in at]
    consumer.close()
    return found


def record(folder: Path, place: str) -> Any:
    topic, partition, offset = re.fullmatch(r"(\w+)/(\d+)@(\d+)", place).groups()  # type: ignore[union-attr]
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address(folder, "kafka"), "group.id": "looks"})
    consumer.assign([confluent_kafka.TopicPartition(topic, int(partition), int(offset))])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    return message


def refused_by_an_older_version(folder: Path, offset: int, raw: bytes, key: bytes, received_ms: int) -> str:
    """File an event as a worker would that knew less than this one; its place."""
    row = RejectedRow("meals", 1, offset, received_ms, "Expected an older `shape`", "$.data", raw, key)
    produce(folder, "rejected", [(rejected_key(row), encode_row(row))], partition=1)
    return f"meals/1@{offset}"


def test_a_replay_counts_once_is_shown_and_carries_its_first_receipt(folder: Path) -> None:
    received_ms = NOW_MS - 3 * MS_PER_DAY
    raw, key = meal("u_replay", "m1"), b"u_replay"
    place = refused_by_an_older_version(folder, 900_001, raw, key, received_ms)
    settled(folder)
    before, ended = counts(folder), ends(folder)

    dry = daybook("rejected", "replay", "--reason", "OLDER `SHAPE`", "--data", folder)
    assert (dry.returncode, dry.stdout) == (0, f"{place}: fit to be sent\n"), dry.stderr
    assert "1 fit, 0 still refused; nothing was sent" in dry.stderr
    assert ends(folder) == ended, "nothing is sent unless it is asked for"
    assert "fate      not replayed" in daybook("rejected", "show", place, "--data", folder).stdout

    done = daybook("rejected", "replay", place, "--send", "--data", folder)
    assert done.returncode == 0, done.stderr
    sent_as = re.fullmatch(rf"{place}: sent as (meals/1@\d+)\n", done.stdout)
    assert sent_as, done.stdout
    settled(folder)
    message = record(folder, sent_as[1])
    assert (message.key(), message.value(), message.headers()) == (key, raw, [(HEADER, str(received_ms).encode())])
    shown = daybook("rejected", "show", place, "--data", folder).stdout
    assert re.search(rf"fate      replayed at \S+Z as {sent_as[1]}: taken\n", shown), shown
    assert energy(folder, "u_replay") == 100

    left_out = daybook("rejected", "replay", place, "--send", "--data", folder)
    assert (left_out.returncode, left_out.stdout) == (0, "")
    assert f"{place}: left out" in left_out.stderr
    assert daybook("rejected", "replay", place, "--send", "--again", "--data", folder).returncode == 0
    settled(folder)
    after = counts(folder)
    assert {name: after[name] - before[name] for name in after} == {
        **{"received": 2, "applied": 1, "duplicate": 1, "superseded": 0, "rejected": 0}
    }
    assert energy(folder, "u_replay") == 100
    assert daybook("verify", "--data", folder).returncode == 0


def test_what_is_still_refused_stays_and_says_why(folder: Path) -> None:
    at = produce(
        folder, "meals", [(b"u_bad", b'{"\x1b[2J\xff'), (b"u_bad", meal("u_bad", "m1", "2031-01-01T00:00:00Z"))]
    )
    settled(folder)
    done = daybook("rejected", "replay", "--topic", "meals", "--since", "1h", "--send", "--data", folder)
    assert done.returncode == 1
    assert f"meals/0@{at[0]}: still refused: Not JSON" in done.stdout
    assert (
        f"meals/0@{at[1]}: still refused: time is more than 24 h ahead of the broker's clock at $.time" in done.stdout
    )
    assert "0 sent, 2 still refused" in done.stderr
    listed = daybook("rejected", "list", "--since", "1h", "--data", folder)
    assert re.search(r" 1 +0 meals +time is more than 24 h ahead", listed.stderr), listed.stderr
    assert {line.split()[0] for line in listed.stdout.splitlines()} == {f"meals/0@{offset}" for offset in at}
    shown = daybook("rejected", "show", f"meals/0@{at[0]}", "--data", folder).stdout
    assert '{"\\x1b[2J\\xff' in shown, "nothing that a terminal obeys is printed"
    found = json.loads(
        daybook("rejected", "list", "--since", "1h", "--reason", "ahead", "--json", "--data", folder).stdout
    )
    assert [row["id"] for row in found["rejected"]] == [f"meals/0@{at[1]}"]
    assert found["counts"][0]["refused"] == 1


def test_an_event_is_fixed_and_sent_by_hand(folder: Path, tmp_path: Path) -> None:
    (at,) = produce(folder, "meals", [(b"u_fix", meal("u_fix", "m1", "2031-01-01T00:00:00Z"))])
    settled(folder)
    raw = daybook_process("rejected", "show", f"meals/0@{at}", "--raw", "--data", folder).stdout
    fixed = tmp_path / "fixed.jsonl"
    fixed.write_text(raw.replace("2031-01-01", "2026-01-01"))
    assert daybook("send", fixed, "--data", folder).returncode == 0
    settled(folder)
    assert energy(folder, "u_fix") == 100


def test_a_wrong_key_is_only_mended_when_asked_for(folder: Path) -> None:
    (at,) = produce(folder, "meals", [(b"somebody", meal("u_key", "m1"))])
    settled(folder)
    done = daybook("rejected", "replay", f"meals/0@{at}", "--send", "--data", folder)
    assert done.returncode == 1
    assert "Expected the Kafka key to be the subject (--rekey sends it under its subject)" in done.stdout
    assert daybook("rejected", "replay", f"meals/0@{at}", "--rekey", "--send", "--data", folder).returncode == 0
    settled(folder)
    assert energy(folder, "u_key") == 100


def test_nobody_lifts_the_rule_of_24_hours_by_a_header(folder: Path) -> None:
    before = counts(folder)
    raw = meal("u_future", "m1", "2031-01-01T00:00:00Z")
    produce(folder, "meals", [(b"u_future", raw)], headers=[header(NOW_MS + 4_000 * MS_PER_DAY), (HEADER, b"soon")])
    early = meal("u_early", "m1", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    produce(folder, "meals", [(b"u_early", early)], headers=[header(NOW_MS - 2 * MS_PER_DAY)])
    settled(folder)
    assert counts(folder)["rejected"] == before["rejected"] + 2
    with psycopg.connect(address(folder, "postgres")) as connection:
        rows = connection.execute("SELECT key, original_at IS NULL FROM rejected ORDER BY received_at DESC LIMIT 2")
        assert dict(rows.fetchall()) == {b"u_early": False, b"u_future": True}
    assert daybook("verify", "--data", folder).returncode == 0


async def test_a_header_whose_name_is_not_utf8_stops_nobody(folder: Path) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address(folder, "kafka"), acks="all")
    await producer.start()
    try:
        for topic, raw in (("meals", meal("u_poison", "m1")), ("views", b"{")):
            builder = PoisonedBuilder()
            builder.append(0, NOW_MS, b"u_poison", raw, [(NAME, b"1")])
            await (await producer.send_batch(FilledBatch(builder, 1), topic, partition=0))
    finally:
        await producer.stop()
    await asyncio.to_thread(settled, folder)
    assert energy(folder, "u_poison") == 100
    assert (await asyncio.to_thread(daybook, "verify", "--data", folder)).returncode == 0


def test_a_worker_stops_at_the_limit_says_why_and_goes_on_when_allowed(folder: Path) -> None:
    before = counts(folder)
    bad = [(b"u_limit", b"{")] * (RUN + 5)
    _, *at = produce(folder, "meals", [(b"u_ok", meal("u_ok", "m1")), *bad, (b"u_limit", meal("u_limit", "m1"))])

    def refuses() -> str:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            done = daybook("status", "--data", folder)
            if re.search(r"^worker-streams +refused", done.stdout, re.M):
                assert done.returncode == 1
                return done.stderr
            time.sleep(0.3)
        raise AssertionError(done.stdout + done.stderr)

    why = refuses()
    line = next(line for line in why.splitlines() if line.startswith("worker-streams: "))
    assert f"meals/0: the last {RUN} events were all refused, up to offset {at[RUN - 1]}; most often: Not JSON" in line
    assert "daybook rejected allow meals/0" in line
    up(folder)
    assert f"up to offset {at[RUN - 1]};" in refuses(), "starting it again changes nothing"
    with psycopg.connect(address(folder, "postgres")) as connection:
        kept = connection.execute("SELECT count(*) FROM rejected WHERE key = 'u_limit'").fetchone()
    assert kept == (0,), "what stopped it is not filed"

    allowed = daybook("rejected", "allow", "meals/0", "--data", folder)
    assert (allowed.returncode, allowed.stdout) == (0, f"meals/0 {at[-1] + 1}\n"), allowed.stderr
    assert up(folder).returncode == 0
    settled(folder)
    after = counts(folder)
    assert after["rejected"] == before["rejected"] + len(bad)
    assert energy(folder, "u_limit") == 100

    more = produce(folder, "meals", bad)
    assert f"up to offset {more[RUN - 1]};" in refuses(), "an allowance reaches no further than what lay there"
    one_short = daybook("rejected", "allow", "meals/0", "--through", more[-1] + 1, "--data", folder)
    assert one_short.returncode == 1
    assert "what is not there yet cannot be allowed" in one_short.stderr
    assert daybook("rejected", "allow", "meals/0", "--through", more[-1], "--data", folder).returncode == 0
    assert up(folder).returncode == 0
    settled(folder)
    assert counts(folder)["rejected"] == after["rejected"] + len(bad)
    assert daybook("verify", "--data", folder).returncode == 0
