"""Rows as columns of ClickHouse; its errors as what to do next."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from clickhouse_connect.driver import exceptions
from sink_kit import event, null_row, row

import schemas
from schemas.ledger import KIND_OF_TYPE, Winner
from schemas.positions import Position, version_of
from schemas.tables import DAILY_COLUMNS
from sinks.base import Refused, Retry, Stop
from sinks.batch import EntityRow, PositionRow
from sinks.clickhouse import encode, events
from sinks.clickhouse.retry import judge

MEAL = {"meal_type": "lunch", "items": [{"name": "Soup", "energy_kcal": 310.5, "protein_g": 18}, {"name": "Salt"}]}


def meal(**fields: object) -> object:
    return event("meals", type="meal.logged", subject="u", **{"data": MEAL, **fields})


def columns_of(table: str, file: str) -> list[str]:
    sql = files("sinks.clickhouse.migrations").joinpath(file).read_text()
    body = sql.split(f"CREATE TABLE IF NOT EXISTS {table} (\n")[1].split("\n)\nENGINE")[0]
    return [line.split()[0] for line in body.splitlines()]


def columns_added(table: str) -> list[str]:
    """Those that a sink writes; what ClickHouse makes itself is materialized."""
    found = sorted(files("sinks.clickhouse.migrations").iterdir(), key=lambda file: file.name)
    sql = "".join([file.read_text() for file in found if file.name.endswith(".sql")])
    added = re.findall(rf"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS (\w+) ([^;]*)", sql)
    return [name for name, of in added if " MATERIALIZED " not in of]


def test_the_daily_table_has_the_columns_of_the_row() -> None:
    columns = columns_of("daily", "0003_daily.sql") + columns_added("daily")
    assert columns == [c.name for c in DAILY_COLUMNS]
    assert list(encode.daily([row("u", 1)])) == columns


def test_every_example_event_becomes_columns_that_the_table_has() -> None:
    lines = (Path(schemas.__file__).parent / "examples" / "events.jsonl").read_bytes().splitlines()
    rows = []
    for offset, line in enumerate(lines):
        said = json.loads(line)
        family = schemas.families.FAMILY_OF[said["type"]]
        rows.append(event(family, offset=offset, **said))
    found = events.columns(rows)
    assert set(found) <= set(columns_of("events", "0001_events.sql"))
    assert {len(values) for values in found.values()} == {len(lines)}
    by_type = {found["type"][i]: i for i in range(len(lines))}
    meal_at, squat_at = by_type["meal.logged"], by_type["workout.completed"]
    assert found["energy_kcal"][meal_at] == (310.5 + 120) * 1.5
    assert found["volume_kg"][squat_at] == 5 * 80
    assert found["steps"][by_type["activity.recorded"]] == 373
    assert found["steps"][meal_at] is None
    assert found["hashtags"][by_type["view.recorded"]] == ["legday"]
    assert found["hashtags"][meal_at] == []
    assert found["register"][by_type["plan.ended"]] == "ended"
    assert found["register"][by_type["goal.set"]] == "2026-03-01"
    assert found["register"][meal_at] == ""
    assert found["deleted"][by_type["meal.deleted"]] is True
    assert found["utc_offset_min"][meal_at] == 60


def test_columns_that_no_row_has_are_left_out() -> None:
    found = events.columns([meal()])
    assert "steps" not in found
    assert "warnings" not in found
    assert events.columns([])["topic"] == []


def test_an_entity_is_named_by_its_event_where_it_has_no_name() -> None:
    assert events.columns([meal(id="e1"), meal(id="e2", entity="m")])["entity"] == ["e1", "m"]


@pytest.mark.parametrize("portion", [1, 2])
def test_nutrients_are_null_where_no_item_says_them(portion: float) -> None:
    found = events.columns([meal(data={**MEAL, "portion": portion}), meal(data={"meal_type": "tea"})])
    assert found["energy_kcal"] == [310.5 * portion, None]
    assert found["fibre_g"] == [None, None]


def test_an_implausible_value_counts_as_missing_with_a_warning() -> None:
    items = [{"name": "Bread", "energy_kcal": 100, "fat_g": 1}, {"name": "Typo", "energy_kcal": 50_000, "fat_g": 6_000}]
    lifted = {"kind": "strength", "duration_s": 200_000, "sets": [{"exercise": "Squat", "reps": 5, "load_kg": 9_000}]}
    found = events.columns(
        [
            meal(data={"meal_type": "lunch", "items": items}),
            meal(),
            event("workouts", type="workout.completed", subject="u", data=lifted),
            event("body", type="water.logged", subject="u", data={"ml": 50_000}),
        ]
    )
    assert found["energy_kcal"][0] == 100
    assert found["duration_s"][2] is found["volume_kg"][2] is found["water_ml"][3] is None
    assert list(found["warnings"]) == [
        ["$.data.items[1].energy_kcal", "$.data.items[1].fat_g"],
        [],
        ["$.data.duration_s", "$.data.sets[0].load_kg"],
        ["$.data.ml"],
    ]


def winner(revision: int, deleted: bool, digest: bytes, kind: str = "meal.logged", **fields: object) -> Winner:
    values = fields.pop("values", (310_500, None, 0, None, None))
    return Winner(revision, deleted, digest, 1, 60, KIND_OF_TYPE[kind], "ios/5", None, values, fields.pop("tail", None))


def test_ver_is_the_order_of_rule_1() -> None:
    low, high = b"\x00" * 16, b"\xff" * 16
    ordered = [
        winner(1, False, low),
        winner(1, False, high),
        winner(1, True, low),
        winner(1, True, high),
        winner(2, False, low),
        winner(2_147_483_647, True, high),
    ]
    vers = [encode.ver(w) for w in ordered]
    assert vers == sorted(set(vers))
    assert vers[-1] < 2**256


def test_a_contribution_names_what_is_there() -> None:
    assert encode.contribution(winner(1, False, b"d" * 16)) == '{"carbs_mg":0,"energy_cal":310500}'
    workout = winner(
        1,
        False,
        b"d" * 16,
        "workout.completed",
        values=(3600, None, 400_000, None),
        tail={"Squat": [93_333, 80_000, 5]},
    )
    assert json.loads(encode.contribution(workout)) == {
        "duration_s": 3600,
        "volume_g_reps": 400_000,
        "tail": {"Squat": [93_333, 80_000, 5]},
    }


def test_entities_and_positions_become_the_columns_of_their_tables() -> None:
    entity = EntityRow("u", "meals", "m", None, winner(1, False, b"d" * 16))
    assert sorted(encode.entities([entity])) == sorted(columns_of("entities", "0002_entities.sql"))
    found = encode.positions([PositionRow("meals", 3, Position(1, 7, "id", 42, received=5, applied=4, duplicate=1))])
    assert sorted(found) == sorted(columns_of("positions", "0002_entities.sql") + columns_added("positions"))
    assert (found["next_offset"], found["version"]) == ([42], [version_of(1, 7)])


def test_null_maps_and_lists_are_empty_ones() -> None:
    found = encode.daily([null_row("u", 1), row("u", 1, estimated_1rm_kg={"a": 1.0}, sources=["x"])])
    assert found["estimated_1rm_kg"] == [{}, {"a": 1.0}]
    assert found["sources"] == [[], ["x"]]


@pytest.mark.parametrize(
    ("error", "then"),
    [
        (exceptions.DatabaseError("Received ClickHouse exception, code: 60 Code: 60. DB::Exception: no table"), Stop),
        (exceptions.DatabaseError("Code: 516. DB::Exception: Authentication failed"), Stop),
        (exceptions.DatabaseError("Code: 252. DB::Exception: Too many parts"), Retry),
        (exceptions.DatabaseError("Code: 241. DB::Exception: Memory limit exceeded"), Retry),
        (exceptions.DatabaseError("Code: 69. DB::Exception: ARGUMENT_OUT_OF_BOUND"), Refused),
        (exceptions.OperationalError("Error executing HTTP request"), Retry),
        (exceptions.DataError("Unable to create Python array"), Refused),
        (ConnectionResetError(), Retry),
    ],
)
def test_an_error_is_judged_by_its_code(error: Exception, then: type[Exception]) -> None:
    assert type(judge(error, "ClickHouse at x")) is then
