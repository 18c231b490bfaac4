"""Where a setting comes from: flags, then DAYBOOK_* variables, then the folder's running stack, then the default."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from daybook import settings
from daybook.errors import Misuse, Problem
from stack.process import born

ELSEWHERE = {
    "DAYBOOK_KAFKA": "kafka.example:9093",
    "DAYBOOK_KAFKA_SECURITY": "ssl",
    "DAYBOOK_POSTGRES": "postgresql://me:tie-knot@pg.example:5432/daybook?sslmode=verify-full",
    "DAYBOOK_CLICKHOUSE": "https://me:tie-knot@ch.example:8443/daybook",
    "DAYBOOK_REDIS": "rediss://:tie-knot@redis.example:6379/0",
}
ADDRESSES = {name: value for name, value in ELSEWHERE.items() if name != "DAYBOOK_KAFKA_SECURITY"}


def addresses(found: settings.Settings) -> dict[str, str]:
    return {f"DAYBOOK_{server.upper()}": found.address(server) for server in settings.SERVERS}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """A data folder whose Kafka seems to run: its pid file names this very process."""
    folder = tmp_path / "data"
    (folder / "run").mkdir(parents=True)
    names = ("kafka", "postgres", "clickhouse", "redis")
    config = {
        "ports": {name: 20_000 + n for n, name in enumerate(names)},
        "passwords": dict.fromkeys(names, "a-drawn"),
    }
    (folder / "stack.json").write_text(json.dumps(config))
    record = {"pid": os.getpid(), "born": born(os.getpid()), "folder": str(folder), "started": time.time()}
    (folder / "run" / "kafka.json").write_text(json.dumps(record))
    return folder


def test_the_running_stack_of_the_folder_gives_what_nobody_else_says(running: Path) -> None:
    found = settings.read(data=running)
    assert found.address("kafka") == "127.0.0.1:20000"
    assert found.address("postgres").endswith("@127.0.0.1:20001/daybook")


def test_a_variable_wins_over_the_running_stack(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_KAFKA", ELSEWHERE["DAYBOOK_KAFKA"])
    monkeypatch.setenv("DAYBOOK_KAFKA_SECURITY", "ssl")
    found = settings.read(data=running)
    assert found.address("kafka") == ELSEWHERE["DAYBOOK_KAFKA"]
    assert found.address("redis").endswith("@127.0.0.1:20003/0")


def test_a_flag_wins_over_a_variable(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_DATA", "/somewhere/else")
    monkeypatch.setenv("DAYBOOK_PARTITIONS", "3")
    found = settings.read(data=running, partitions=5)
    assert (found.data, found.partitions) == (running, 5)
    assert settings.read(data=None, partitions=None).partitions == 3


def test_a_variable_names_the_folder_whose_stack_is_asked(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_DATA", str(running))
    assert settings.read().address("kafka") == "127.0.0.1:20000"


def test_servers_elsewhere_need_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    found = settings.read()
    assert addresses(found) == ADDRESSES
    assert not list(tmp_path.iterdir()), "reading settings makes no folder"


def test_the_folder_of_a_stopped_stack_gives_nothing_and_the_missing_address_is_named(running: Path) -> None:
    (running / "run" / "kafka.json").unlink()
    with pytest.raises(Problem, match=r"no address of redis: set DAYBOOK_REDIS, or .*daybook up --detach --data"):
        settings.read(data=running).address("redis")


def test_secrets_are_read_from_files_and_a_variable_wins_over_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounted = tmp_path / "..2026_11_21"  # as Kubernetes does it: links through a folder that is exchanged as a whole
    mounted.mkdir()
    for name, value in ELSEWHERE.items():
        (mounted / name).write_text(f"{value}\n")
        (tmp_path / name).symlink_to(mounted / name)
    monkeypatch.setenv("DAYBOOK_SECRETS", str(tmp_path))
    found = settings.read()
    assert addresses(found) == ADDRESSES
    assert ":tie-knot@" not in repr(found)
    monkeypatch.setenv("DAYBOOK_REDIS", "redis://:bow-knot@127.0.0.1:1/0")
    assert settings.read().address("redis") == "redis://:bow-knot@127.0.0.1:1/0"


def test_a_folder_of_secrets_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DAYBOOK_SECRETS", str(tmp_path / "nowhere"))
    with pytest.raises(Misuse, match=r"DAYBOOK_SECRETS: there is no folder .*nowhere"):
        settings.read()


def test_passwords_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAYBOOK_API_SIGNING_KEY", "tie-knot" * 6)
    monkeypatch.setenv("DAYBOOK_KAFKA_PASSWORD", "tie-knot" * 2)
    assert "tie-knot" not in repr(settings.read())


@pytest.mark.parametrize(
    ("variable", "value"), [("DAYBOOK_PARTITIONS", "many"), ("DAYBOOK_PARTITIONS", "0"), ("DAYBOOK_WORKER_NAME", "a b")]
)
def test_a_value_that_cannot_be_is_one_line_naming_the_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Misuse, match=variable) as why:
        settings.read()
    assert "\n" not in str(why.value)


def test_a_worker_is_called_the_same_after_each_restart_and_otherwise_in_another_folder(tmp_path: Path) -> None:
    here, there = settings.read(data=tmp_path / "a"), settings.read(data=tmp_path / "b")
    assert here.name_of("streams") == settings.read(data=tmp_path / "a").name_of("streams")
    assert len({here.name_of("streams"), here.name_of("redis"), there.name_of("streams")}) == 3
    assert settings.read(worker_name="blue").name_of("redis") == "redis-blue"
