"""A seeded selection of faults on real servers, short enough for every run of the tests; faults_run.py has the rest."""

from __future__ import annotations

from faults_cluster import cluster
from faults_kinds import KINDS
from faults_nemesis import plan
from faults_run import attack

SELECTION = (
    "kill -9 of a streams worker",
    "kill -9 of a streams worker at a fault point",
    "kill -9 of a sink worker at a fault point",
    "connections to a store cut",
    "poison among good events",
    "Redis flushed and restarted",
)


def test_kills_cuts_poison_and_a_flush_at_once_change_no_value() -> None:
    with cluster(streams=2, partitions=4) as under_attack:
        report = attack(under_attack, 7, 10.0, 8_000, every_s=1.5, streams=2, kinds=SELECTION)
    assert report["wrong"] == []
    assert report["faults"] >= len(SELECTION) - 1
    assert report["days"] == report["days_verified"] > 0


def test_a_seed_gives_the_same_plan_and_every_kind_comes_before_any_comes_again() -> None:
    assert plan(3, 600, 4.5) == plan(3, 600, 4.5) != plan(4, 600, 4.5)
    planned = [each.kind for each in plan(3, 600, 4.5)]
    assert len(planned) >= 100
    assert sorted(planned[: len(KINDS)]) == sorted(KINDS)
    assert set(SELECTION) <= set(KINDS)
