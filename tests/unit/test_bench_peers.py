"""The side-by-side benchmark's own arithmetic: what peers are held to, and what their figures become."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.peers import job, plan, rates, report
from bench.peers.install import ECJ, FLINK_KAFKA, KAFKA_STREAMS
from bench.peers.job import Totals, Wrong
from bench.peers.latency import Latency, Told
from bench.peers.peers import PEERS
from schemas.codec import decode

PEERS_FOLDER = Path(__file__).parents[2] / "bench" / "peers"


def test_the_answer_rests_on_no_order_and_no_repeats() -> None:
    log = list(job.events(3_000, 50, seed=3))
    shuffled = [*log, *log[:500]]
    random.Random(1).shuffle(shuffled)
    assert job.answer(shuffled) == job.answer(log)


def test_an_edited_meal_counts_once_and_by_its_second_revision() -> None:
    log = list(job.events(2_000, 50, seed=3))
    edits = [value for _, value in log if b'"revision":2' in value]
    assert len(edits) > 10
    days = job.answer(log)
    assert sum(day.meals for day in days.values()) == len(log) - len(edits)
    assert days != job.answer([(key, value) for key, value in log if value not in edits])


def test_the_load_is_one_that_daybook_accepts() -> None:
    for _, value in job.events(200, 20, edited=0.5):
        decode(value)


def test_a_contribution_is_rounded_half_up_in_base_units() -> None:
    item = job._Item(energy_kcal=0.001, protein_g=1.2346, carbs_g=0.0, fat_g=2.0)
    assert job.contribution(0.5, [item]) == Totals(1, 618, 0, 1_000, 1)  # halves of 1, 1235 and 2000


def test_a_row_of_ours_and_a_row_of_theirs_say_the_same() -> None:
    ours = {"user_id": "u_1", "date": "2025-03-01", "energy_kcal": 12.345, "protein_g": 1.5, "fat_g": None}
    theirs = {"user": "u_1", "day": "2025-03-01", "energy_cal": 12_345, "protein_mg": 1_500, "carbs_mg": 0, "meals": 2}
    assert job.row_of(json.dumps({**ours, "meals_logged": 2, "version": 7}).encode()) == job.row_of(
        json.dumps(theirs).encode()
    )


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({("a", "1"): Totals(1, 1, 1, 1, 1), ("b", "1"): Totals(2, 2, 2, 2, 3)}, Wrong(0, 0, 0)),
        (
            {("a", "1"): Totals(1, 1, 1, 1, 1), ("b", "1"): Totals(2, 2, 2, 2, 3), ("c", "1"): job.NOTHING},
            Wrong(0, 0, 0),
        ),
        ({("a", "1"): Totals(1, 1, 1, 1, 1)}, Wrong(1, 3, 0)),
        ({("a", "1"): Totals(1, 1, 1, 1, 2), ("b", "1"): Totals(2, 2, 2, 2, 3)}, Wrong(1, 0, 1)),
        ({("a", "1"): Totals(1, 1, 9, 1, 1), ("b", "1"): Totals(2, 2, 2, 2, 3)}, Wrong(1, 0, 0)),
        ({}, Wrong(2, 4, 0)),
    ],
)
def test_whoever_differs_is_told_by_how_much(found: dict[job.Day, Totals], wrong: Wrong) -> None:
    answer = {("a", "1"): Totals(1, 1, 1, 1, 1), ("b", "1"): Totals(2, 2, 2, 2, 3)}
    assert job.differences(found, answer) == wrong


@given(st.integers(20, 200), st.integers(1, 50), st.integers(1, 500))
def test_a_steady_pace_is_measured_as_it_is_whatever_the_start_took(steps: int, meals: int, every_ms: int) -> None:
    start = 90_000
    folded = {start + i * every_ms: meals for i in range(steps)}
    window = rates.steady(folded, steps * meals, steps * meals)
    assert window is not None
    assert rates.rate(window) == pytest.approx(meals * 1000 / every_ms)


def test_edits_are_events_too() -> None:
    folded = {1_000: 50, 2_000: 50}  # 100 meals that took 120 events: the second half is 60 events in one second
    assert rates.rate(rates.steady(folded, 100, 120)) == pytest.approx(60)


def test_a_peer_that_told_of_too_little_has_no_rate() -> None:
    assert rates.steady({1_000: 10}, 100, 100) is None
    assert rates.steady({}, 100, 100) is None
    assert rates.rate(None) == 0
    assert rates.cpu_per_million(None, [(0.0, 1.0)]) == 0


def test_cpu_time_is_that_of_the_window() -> None:
    samples = [(0.0, 5.0), (10.0, 10.0), (20.0, 12.0)]
    assert rates.at(samples, 5) == pytest.approx(7.5)
    assert (rates.at(samples, -1), rates.at(samples, 99)) == (5.0, 12.0)
    assert rates.cpu_per_million(rates.Window(10, 20, 500_000), samples) == pytest.approx(4.0)


def test_a_quantile_is_a_value_that_so_many_do_not_exceed() -> None:
    values = [float(v) for v in range(1, 101)]
    assert (rates.quantile(values, 0.5), rates.quantile(values, 0.99), rates.quantile([7.0], 0.5)) == (50, 99, 7)


def test_an_event_has_waited_until_the_first_row_that_counts_it() -> None:
    log = list(job.events(4, 1, edited=0.0))
    told, day = Told(log), job.day_of(log[0][1])
    told.row(day, 1, 10.0)
    told.row(day, 3, 11.0)
    told.row(day, 3, 12.0)  # the same once more
    told.row(("nobody", "2025-03-01"), 5, 12.5)
    assert told.left == 1
    assert told.at == [10.0, 11.0, 11.0, None]
    assert told.latency([9.0, 9.0, 9.0, 9.0], 0) == Latency(None, None, 1)
    told.row(day, 4, 13.0)
    assert told.latency([9.0, 9.0, 10.5, 12.0], 1) == Latency(1000.0, 2000.0, 0)


def result(**peers: list[dict[str, Any]]) -> dict[str, Any]:
    load = {"users": 20_000, "peers": peers}
    return {
        "date": "2026-01-01",
        "machine": "M <1>",
        "rounds": 2,
        "missing": {"flink": "no wheel"},
        "loads": {"dense": load},
    }


def test_the_table_says_who_is_ahead_who_was_wrong_and_who_is_missing() -> None:
    good: Any = {"events_per_second": 100_000, "wrong": (0, 0, 0), "restart_s": 2.0, "wrong_after_kill": (0, 0, 0)}
    bad: Any = {**good, "events_per_second": 200_000, "wrong_after_kill": (3, 0, 4), "restart_s": None}
    text = report.table(result(ours=[good, {**good, "events_per_second": 120_000}], quix=[bad], floor=[good]))
    ours, quix = (next(line for line in text.splitlines() if line.startswith(f"| {t}")) for t in ("Daybook", "Quix"))
    assert "110,000 (100,000–120,000)" in ours
    assert "| yes |" in ours
    assert "**no**: 3 user-days (meals: 0 lost, 4 twice), in 1 of 1" in quix
    assert "no row came" in quix
    assert quix.endswith("| 0.55 × |")
    assert "takes no part here: no wheel" in text
    assert "p50" not in text, "what was not measured has no column"


def test_a_peer_that_does_not_hold_the_pace_has_no_latency() -> None:
    held = {"p50_ms": 40.0, "p99_ms": 90.0, "behind": 0}
    lost = {"p50_ms": None, "p99_ms": None, "behind": 70_000}
    assert report.latency([held]) == "40 / 90"
    assert report.latency([lost]) == "does not keep up"
    assert report.latency([held, lost]) == "40 / 90, did not keep up in 1 of 2"
    assert report.latency([{}]) == "–"


def test_the_last_line_is_events_a_second_by_name() -> None:
    runs = [{"events_per_second": value} for value in (1.0, 3.0, 2.0)]
    assert report.line(result(ours=runs, quix=[{"p50_ms": 1.0}])) == {"ours": 2}


def test_the_chart_is_a_picture_whatever_the_names() -> None:
    runs = [{"events_per_second": value} for value in (10, 30)]
    root = ElementTree.fromstring(report.chart(result(ours=runs, plain_faust=runs[:1])))
    texts = [node.text or "" for node in root.iter() if node.tag.endswith("text")]
    assert any("Daybook" in text for text in texts)
    assert any("M <1>" in text for text in texts)


def test_every_peer_is_pinned() -> None:
    assert all(jars.sha256 for jars in (KAFKA_STREAMS, ECJ, FLINK_KAFKA))
    for folder in {peer.folder for peer in PEERS} - {"ours", "kafka_streams"}:
        lines = (PEERS_FOLDER / folder / "requirements.txt").read_text().split()
        assert lines
        assert all("==" in line for line in lines)


def test_a_run_that_was_cut_goes_on_with_what_is_not_known_yet() -> None:
    known: dict[str, Any] = {"loads": {"dense": {"peers": {}}, "sparse": {"peers": {}}}}
    wanted = (["dense", "sparse"], ["ours", "quix"], ["rate", "kill"], 2)
    todo = plan.steps(known, *wanted)
    assert len(todo) == 2 * (2 + 2 + 2), "kill -9 under the first load only"
    assert [step.peer for step in todo[:4]] == ["ours", "quix", "ours", "quix"], "in turns"
    done = 0
    while todo:
        plan.add(known, todo[0], {plan.KEYS[todo[0].figure]: done or None})
        done += 1
        assert plan.steps(known, *wanted) == todo[1:]
        todo = todo[1:]
    assert done == 12
    assert [len(runs) for load in known["loads"].values() for runs in load["peers"].values()] == [2, 2, 2, 2]
    assert plan.known(known, "dense", "ours", "events_per_second") == 6
    assert plan.known(known, "dense", "ours", "records") is None


def test_figures_of_two_machines_are_not_mixed() -> None:
    here = {"machine": "a", "python": "3.11", "pinned": True, "scale": 1.0, "seed": 1}
    assert plan.resumed({**here, "loads": {}}, here, "x.json") == {**here, "loads": {}}
    with pytest.raises(SystemExit, match="has machine 'b'"):
        plan.resumed({**here, "machine": "b"}, here, "x.json")
