"""Made-up daily rows in the order in which a stream writes them: each day of everybody, several times as it fills."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from schemas.instants import day_text
from schemas.positions import version_of
from schemas.rows import Best, DailyRow, daily_key, encode_row
from schemas.topics import GENERATION

FIRST = 20_450
LIFTS = ("Squat (Barbell)", "Bench Press (Barbell)", "Deadlift")
ROWS_A_DAY = 3
"""Versions of a user's day: morning, noon, evening."""


def daily_rows(rows: int, users: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the topic `daily`."""
    chance, made, day = Random(seed), 0, FIRST
    while made < rows:
        for part in range(1, ROWS_A_DAY + 1):
            version = version_of(GENERATION, made + 1)
            for number in range(users):
                row = _row(chance, f"u_{number:06}", day, part, number, version)
                yield daily_key(row), encode_row(row)
                made += 1
                if made == rows:
                    return
        day += 1


def _row(chance: Random, user: str, day: int, part: int, number: int, version: int) -> DailyRow:
    random = chance.random
    row = DailyRow(user, day_text(day), version, entities=9 * part, sources=["ios", "watch"])
    row.steps = int(part * (2_000 + 2_000 * random()))
    row.active_minutes, row.distance_m = row.steps // 90 * 60 / 60, row.steps * 750 / 1000
    row.calories_burned_kcal = row.activity_calories_kcal = int(part * 700_000 * (0.5 + random())) / 1000
    row.sleep_minutes = int(60 * (360 + 120 * random())) / 60
    row.meals_logged = part
    row.energy_kcal, row.protein_g = int(part * 700_000 * (0.5 + random())) / 1000, int(part * 30_000 * random()) / 1000
    row.carbs_g, row.fat_g = int(part * 80_000 * random()) / 1000, int(part * 25_000 * random()) / 1000
    row.water_ml = float(250 * part)
    if part == ROWS_A_DAY and (day + number) % 7 in (0, 2, 4):
        entity, seconds = f"w_{day}_{number}", int(1_800 + 3_600 * random())
        row.workouts_completed, row.workout_minutes = 1, seconds / 60
        row.training_load, row.volume_kg = seconds * 65 / 600, int(8_000_000 * random()) / 1000
        row.bests = {"workout_minutes": Best(seconds / 60, entity), "workout_volume_kg": Best(row.volume_kg, entity)}
        for lift in LIFTS:
            load = int(60 + 30 * random()) + (day - FIRST) // 14 * 2.5
            row.bests |= {
                f"estimated_1rm_kg:{lift}": Best(load * 1.2, entity),
                f"heaviest_kg:{lift}": Best(load, entity),
                f"reps:{lift}": Best(float(int(3 + 9 * random())), entity),
            }
        row.bests = dict(sorted(row.bests.items()))
    if (day + number) % 7 == 0:
        row.weight_kg = int(70_000 + 5_000 * random()) / 1000
    return row
