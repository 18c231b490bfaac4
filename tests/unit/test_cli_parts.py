"""The parts of the command line that need no server: exit codes, lags, topics' counts, logs' ends, the chart."""

from __future__ import annotations

import dataclasses
import doctest
import os
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from daybook import board, chart, cli, demo, logfiles, topics, waiting
from daybook.demo_trending import SURPRISE, Moved
from daybook.errors import Misuse, Problem
from daybook.figures import Counters
from producers import fitbit
from producers.faults import Shares
from schemas.trending import Entry, TrendingList


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("DAYBOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("module", [board, chart, topics, waiting])
def test_the_examples_in_the_docstrings_run(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted
    assert not result.failed


# -- how a command ends


def test_the_version_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("daybook 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["wait", "--timeout", "soon"],
        ["worker"],
        ["worker", "--role", "cook"],
        ["replay", "vimeo"],
        ["generate", "--users", "0", "--days", "1", "--seed", "1"],
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("daybook: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["env"], ["send", "-"], ["wait"], ["verify"], ["migrate"], ["replay", "fitbit"]])
def test_without_servers_a_command_says_which_address_is_missing(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.match(r"daybook: no address of (\w+): set DAYBOOK_[A-Z]+, or start the servers of ", said.err)


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_KAFKA", "127.0.0.1:1")
    assert cli.run(["send", "no/such/file.jsonl"]) == 1
    assert capsys.readouterr().err == "daybook: no/such/file.jsonl: No such file or directory\n"


def test_debug_shows_where_it_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_DEBUG", "1")
    with pytest.raises(Problem):
        cli.run(["env"])


def test_status_of_a_folder_where_nothing_ever_ran_says_so_and_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["status"]) == 1
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[:4]] == ["kafka", "postgres", "clickhouse", "redis"]
    assert {row[1] for row in rows} == {"stopped"}


def test_down_where_nothing_runs_is_no_error() -> None:
    assert cli.run(["down"]) == 0


def test_generate_tells_the_true_default_of_every_share(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["generate", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for share in dataclasses.fields(Shares):
        told = re.search(rf"--{share.name.replace('_', '-')} .*?\[default: ([0-9.]+)\]", text)
        assert told, share.name
        assert float(told[1]) == share.default


# -- wait


def test_a_group_lags_by_what_it_has_not_committed_topic_by_topic() -> None:
    ends = {("meals", 0): 10, ("meals", 1): 20, ("body", 0): 5}
    done = {("meals", 0): 10, ("meals", 1): 12}
    assert waiting.lags("it", ends, {}, done) == [waiting.Lag("it", "meals", 8), waiting.Lag("it", "body", 5)]


def test_a_partition_without_records_counts_as_reached_though_nothing_was_committed_there() -> None:
    assert waiting.lags("it", {("meals", 0): 0, ("meals", 1): 7}, {("meals", 1): 7}, {}) == []


def test_a_group_beyond_the_end_is_not_behind() -> None:
    assert waiting.lags("it", {("meals", 0): 3}, {}, {("meals", 0): 9}) == []


def test_expired_records_are_not_waited_for() -> None:
    assert waiting.lags("it", {("meals", 0): 9}, {("meals", 0): 7}, {("meals", 0): 2}) == [
        waiting.Lag("it", "meals", 2)
    ]


# -- topics


def test_topics_that_exist_decide_how_many_partitions_the_others_get() -> None:
    assert topics.agreed_count({"meals": 4, "body": 4}, None) == 4


def test_topics_that_disagree_are_named_with_their_counts() -> None:
    with pytest.raises(Problem, match="meals 4, body 8"):
        topics.agreed_count({"meals": 4, "body": 8}, None)


def test_another_number_than_what_exists_is_refused() -> None:
    with pytest.raises(Problem, match="exist with 4 partitions, not 8"):
        topics.agreed_count({"meals": 4}, 8)


# -- logs


@pytest.mark.parametrize("lines", [0, 1, 3, 2_000, 100_000])
def test_the_tail_of_a_log_is_its_last_lines_however_many(tmp_path: Path, lines: int) -> None:
    written = [f"line {n} {'x' * (n % 97)}" for n in range(5_000)]
    file = tmp_path / "a.log"
    file.write_text("\n".join(written) + "\n")
    assert logfiles.tail(file, lines) == (written[-lines:] if lines else [])


def test_a_role_without_a_log_is_told_which_there_are(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker-streams.log").write_text("ready\n")
    assert list(logfiles.read(tmp_path, "streams", 5)) == ["ready"]
    with pytest.raises(Problem, match=r"no log of cook in .*; there are: worker-streams"):
        list(logfiles.read(tmp_path, "cook", 5))


# -- demo


def _outcome(**changed: object) -> demo.Outcome:
    counters = Counters(received=22_579, applied=22_576, duplicate=3)
    good: dict[str, object] = {"sent": 22_579, "counters": counters, "agreement": fitbit.SUPPORTED, "mismatches": 0}
    good |= {"moved": _moved(SURPRISE), "cells": 940, "moving_s": 2.0}
    return demo.Outcome(**{**good, **changed})  # type: ignore[arg-type]


def _moved(leader: str) -> Moved:
    """The trending list's move in the demo, with this video at its end in front."""
    first = Entry(leader, 1, 1.0, 1.0, 1, 1, 0.0, 1.0)
    return Moved(TrendingList("videos", "all", "1h", 1, 0), TrendingList("videos", "all", "1h", 2, 1, [first]), 1.0)


def test_the_demo_holds_only_if_every_figure_does() -> None:
    assert _outcome().wrong() == []
    assert _outcome(mismatches=1).wrong()
    assert _outcome(sent=22_578).wrong()
    assert _outcome(agreement=fitbit.SUPPORTED._replace(steps_equal=774)).wrong()
    assert _outcome(agreement=fitbit.SUPPORTED._replace(calories_close=880)).wrong()
    assert _outcome(counters=Counters(received=22_579, applied=22_575, duplicate=3)).wrong()
    assert _outcome(counters=Counters(received=22_579, applied=22_575, duplicate=4)).wrong()
    assert _outcome(moved=_moved("another")).wrong()
    assert _outcome(moved=None).wrong()
    assert demo.Outcome().wrong() == ["the demo did not get to its end"]


def test_the_demo_prints_the_promised_figures_in_their_order() -> None:
    assert list(_outcome().figures()) == [
        *("events_sent", "events_applied", "duplicates", "rejected", "steps_days_equal", "steps_days"),
        *("calories_days_close", "verify_mismatches", "events_per_second"),
    ]


def test_the_demo_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(Misuse, match="not an empty folder"), demo.stopped_after(tmp_path, keep=False):
        pytest.fail("it went on")
    assert (tmp_path / "mine.txt").read_text() == "precious"


def _days(user: str, steps: list[int | None], nights: int) -> list[chart.Day]:
    first = date(2016, 4, 12)
    return [
        chart.Day(user, first + timedelta(days=n), s, 2000.0, 400.0 if n < nights else None)
        for n, s in enumerate(steps)
    ]


def test_the_week_that_is_drawn_is_the_fullest() -> None:
    many_nights_with_a_hole = _days("a", [1, 1, 1, None, 1, 1, 1, 1], nights=8)
    some_nights = _days("b", [100] * 9, nights=3)
    week = chart.fullest_week([*many_nights_with_a_hole, *some_nights])
    assert [day.user for day in week] == ["b"] * 7
    assert week[0].date == date(2016, 4, 12)
    assert chart.fullest_week([]) == []


def test_a_week_is_one_line_a_day_and_the_longest_bar_fills_the_width() -> None:
    lines = chart.week_lines(_days("a", [10_000, 5_000, 0, None, 1, 2, 3], nights=1), width=20)
    assert len(lines) == 7
    assert "█" * 20 in lines[0]
    assert "█" * 10 in lines[1]
    assert "█" * 11 not in lines[1]
    assert "10,000 steps" in lines[0]
    assert "6 h 40 min asleep" in lines[0]
    assert max(map(len, chart.week_lines(_days("a", [99_999] * 7, nights=7)))) <= 80
