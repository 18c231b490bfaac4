"""A metric's definition changes on a running stack: in shadow, then for all at once, and verify finds nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg
import pytest
from backfill_world import World

from daybook import defining, kafka, settings, sinking, waiting
from daybook.backfill.compute import Value
from daybook.backfill.runs import Runs
from daybook.backfill.values import Shadow
from daybook.cli import run
from daybook.settings import Settings
from producers.publish import publish
from schemas.topics import MILESTONES
from sinks.postgres.connect import as_writer

METRIC = "meal_plan_adherence_pct"
SINCE, UNTIL = "2019-05-03", "2019-05-06"
WAIT_S = 120


def visible(found: Settings) -> None:
    waiting.until_visible(found.address("kafka"), list(sinking.groups().values()), WAIT_S)


def stored(found: Settings, prefix: str) -> dict[tuple[str, str], float]:
    with psycopg.connect(as_writer(found.address("postgres"))) as connection:
        rows = connection.execute(
            f"SELECT user_id, date::text, {METRIC} FROM user_metrics_daily WHERE user_id LIKE %s", (f"{prefix}%",)
        ).fetchall()
    return {(user, day): value for user, day, value in rows}


def milestones(found: Settings) -> int:
    client = kafka.admin(found.address("kafka"))
    count = kafka.partition_counts(client, found.address("kafka"))[MILESTONES.name]
    ends = kafka.offsets(client, found.address("kafka"), [(MILESTONES.name, number) for number in range(count)])
    return sum(ends.values())


def test_a_definition_changes_in_shadow_first_and_then_for_all(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, world = settings.read(data=shared), World("backfill", 4, date(2019, 5, 1), 8)
    publish(found.address("kafka"), [*world.plans(), *world.every_day()])
    visible(found)
    usual = world.adherence(50)
    assert stored(found, "backfill") == usual

    asked = ["backfill", METRIC, "--set", "substitute_pct=75", "--from", SINCE, "--to", UNTIL, "--budget", "100%"]
    assert run([*asked, "--data", str(shared)]) == 0
    said = capsys.readouterr()
    will = world.adherence(75, SINCE, UNTIL)
    changes = {day: (usual[day], will[day]) for day in usual if usual[day] != will[day]}
    assert changes
    assert f"days      {len(changes):,} of {4 * 4:,} change" in said.out
    assert f"users     {len({user for user, _ in changes})} of 4" in said.out
    assert "change    mean +25, median +25, from +25 to +25" in said.out
    assert f"also      planned on {len(changes)} days" in said.out
    assert said.out.count("sample ") == min(5, len(changes))
    number = said.err.partition("daybook backfill swap ")[2].partition(",")[0]
    assert stored(found, "backfill") == usual, "nobody reads anything of it"

    before = milestones(found)
    assert run(["backfill", "swap", number, "--budget", "100%", "--data", str(shared)]) == 0
    assert stored(found, "backfill") == will
    visible(found)
    assert milestones(found) == before, "no streak or record is told of it"
    assert run(["backfill", "list", "--data", str(shared)]) == 0
    assert f"{METRIC:<28}       2 done" in capsys.readouterr().out

    publish(found.address("kafka"), list(world.some(20)))
    visible(found)
    assert stored(found, "backfill") == world.adherence(75, SINCE, UNTIL)


def test_what_is_dropped_is_gone_and_cannot_be_put_in_force(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = settings.read(data=shared)
    runs = Runs(found.address("postgres"))
    begun = runs.begin("sleep_minutes", {"counts": "in_bed"}, (None, date(2019, 5, 1)), defining.known(found).said)
    runs.close()
    shadow = Shadow(found, begun)
    shadow.put([Value("somebody", "2019-05-01", "400.0", "420.0", ["goals"])], 1)
    assert (shadow.diff().days_changed, shadow.diff().largest) == (1, 20.0)
    assert run(["backfill", "drop", str(begun.id), "--data", str(shared)]) == 0
    assert shadow.diff().days == 0
    shadow.close()
    assert run(["backfill", "swap", str(begun.id), "--data", str(shared)]) == 1
    assert f"backfill {begun.id} is dropped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("steps",), "steps has no definition that can be changed this way; these have: meal_plan_adherence_pct, "),
        ((METRIC,), "say what changes: --set substitute_pct=0 to 100: what a substituted meal counts"),
        ((METRIC, "--set", "substitute_pct=101"), "substitute_pct: expected 0 to 100, got '101'"),
        ((METRIC, "--set", "substitute=1"), "--set substitute=1: --set substitute_pct=0 to 100"),
        ((METRIC, "--set", "substitute_pct=1", "--from", "May"), "--from May: "),
        ((METRIC, "--set", "substitute_pct=1", "--from", "2026-02-01", "--to", "2026-01-01"), "is after --to"),
        ((METRIC, "--set", "substitute_pct=1", "--budget", "150%"), "--budget: expected a share such as 25%"),
        (("swap", "99999"), "there is no backfill 99999"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], line: str, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backfill", *words, "--data", str(shared)]) == 2
    said = capsys.readouterr().err.strip()
    assert line in said
    assert "\n" not in said
