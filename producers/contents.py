"""What made-up events say: the inside of `data`, by event type. Asked again, it differs: that is an edit."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from producers.dice import between, pick
from producers.dishes import meal_items
from producers.people import Person
from schemas.instants import day_text

_PORTIONS = ("0.5", "0.75", "1.0", "1.25", "1.333", "1.5", "2")
_LIFTS = (
    ("Bench Press (Barbell)", 70.0),
    ("Squat (Barbell)", 95.0),
    ("Deadlift", 115.0),
    ("Overhead Press", 45.0),
    ("Row", 62.5),
    ("Pull-up", 0.0),
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

ODD = {
    "meal.logged": '"meal_type":"dinner","items":[{"name":"Feast","energy_kcal":25000,"protein_g":40}]',
    "workout.completed": '"kind":"run","duration_s":205200,"calories_kcal":400',
    "water.logged": '"ml":50000',
    "activity.recorded": '"duration_s":3600,"steps":400000,"calories_kcal":90',
    "sleep.recorded": '"asleep_s":100000,"in_bed_s":86000',
    "body.measured": '"weight_kg":1000,"body_fat_pct":21.5',
}
"""Types → data with one implausible field, such as a workout of 57 hours: it counts as missing, the rest counts."""


def data(type_name: str, who: Person, rng: Random, day: int, detail: str) -> str:
    """Inside of `data` for an event of that type. `detail`: what the diary knows, such as the slot of a meal."""
    return _MAKERS[type_name](who, rng, day, detail)


def _meal(who: Person, rng: Random, day: int, slot: str) -> str:
    random = rng.random
    text = f'"meal_type":"{slot}","items":[{meal_items(rng)}]'
    if random() < 0.3:
        text += f',"portion":{pick(rng, _PORTIONS)}'
    if random() < 0.3:
        text += f',"from_plan":true,"planned_item":"{slot}"'
    return f'{text},"rating":{between(rng, 1, 5)}' if random() < 0.2 else text


def _water(who: Person, rng: Random, day: int, detail: str) -> str:
    return f'"ml":{pick(rng, ("200", "250", "250", "330", "500", "187.5", "236.588"))}'


def _workout(who: Person, rng: Random, day: int, kind: str) -> str:
    random = rng.random
    parts = [f'"kind":"{kind}"']
    if random() < 0.95:
        parts.append(f'"duration_s":{between(rng, 900, 6000)}')
    if random() < 0.8:
        parts.append(f'"calories_kcal":{between(rng, 800, 9000) / 10}')
    if random() < 0.5:
        parts.append(f'"avg_heart_rate_bpm":{between(rng, 95, 150)},"max_heart_rate_bpm":{between(rng, 151, 195)}')
    if random() < 0.5:
        parts.append(f'"rpe":{between(rng, 2, 20) / 2},"enjoyment":{between(rng, 1, 5)}')
    if kind == "strength":
        sets = ",".join([one for _ in range(between(rng, 2, 4)) for one in _sets(who, rng)])
        parts.append(f'"planned_item":"day_a","completion_pct":{between(rng, 50, 100)},"sets":[{sets}]')
    elif kind == "run":
        seconds, meters = between(rng, 900, 4500), between(rng, 25_000, 150_000) / 10
        parts.append(f'"sets":[{{"exercise":"Run","distance_m":{meters},"seconds":{seconds}}}]')
    return ",".join(parts)


def _sets(who: Person, rng: Random) -> list[str]:
    """Some sets of one exercise; now and then somebody forgets to write the repetitions or the load."""
    exercise, typical_kg = pick(rng, _LIFTS)
    load = int(typical_kg * who.strength / 2.5) * 2.5 + between(rng, 0, 4) * 2.5 * (typical_kg > 0)
    found = []
    for _ in range(between(rng, 2, 4)):
        reps, forgets = between(rng, 1, 12), rng.random()
        text = f'{{"exercise":"{exercise}"'
        text += f',"reps":{reps}' if forgets >= 0.03 else ""
        found.append(f'{text},"load_kg":{load}}}' if forgets < 0.97 else f'{text},"seconds":60}}')
    return found


def _activity(who: Person, rng: Random, day: int, detail: str) -> str:
    steps = int(rng.random() ** 3 * 4000)
    meters, kcal = steps * 7 / 10, between(rng, 550, 900) / 10 + steps // 25
    minutes = f',"active_minutes":{steps // 110}' if who.watch else ""
    return f'"duration_s":3600,"steps":{steps},"calories_kcal":{kcal},"distance_m":{meters}{minutes}'


def _sleep(who: Person, rng: Random, day: int, detail: str) -> str:
    asleep = between(rng, 240, 580) * 60 + between(rng, 0, 59)
    return f'"asleep_s":{asleep},"in_bed_s":{asleep + between(rng, 5, 60) * 60}'


def _measured(who: Person, rng: Random, day: int, detail: str) -> str:
    random = rng.random
    parts = []
    if random() < 0.9:
        parts.append(f'"weight_kg":{round(who.weight_kg + between(rng, -15, 15) / 10, 1)}')
    if random() < 0.3:
        parts.append(f'"body_fat_pct":{between(rng, 80, 380) / 10}')
    if random() < 0.1:
        parts.append(f'"waist_cm":{between(rng, 600, 1200) / 10}')
    return ",".join(parts)


def _profile(who: Person, rng: Random, day: int, valid: str) -> str:
    start = who.day_start if rng.random() < 0.9 else "04:00"
    parts = [f'"day_start":"{start}"'] if start != "00:00" else []
    if rng.random() < 0.9:
        parts.append(f'"timezone":"{who.home}"')
    if rng.random() < 0.1:
        parts.append('"source_priority":["watch","phone"]')
    return ",".join(parts + _valid(day, valid))


def _goal(who: Person, rng: Random, day: int, valid: str) -> str:
    metric, target, direction = pick(
        rng, (("energy_kcal", 2000, "around"), ("steps", 8000, "at_least"), ("water_ml", 2000, "at_least"))
    )
    text = f'"metric":"{metric}","target":{target + between(rng, -4, 8) * 50},"direction":"{direction}"'
    return ",".join([text, f'"tolerance_pct":{between(rng, 0, 10)}', *_valid(day, valid)])


def _plan(who: Person, rng: Random, day: int, valid: str) -> str:
    first = between(rng, 0, 6)
    days = [f'"{_WEEKDAYS[(first + 2 * n) % 7]}"' for n in range(who.trains_per_week)]
    every = ",".join(f'"{name}"' for name in _WEEKDAYS)
    workouts = f'"workouts":[{{"item":"day_a","weekdays":[{",".join(days)}]}}]'
    meals = f'"meals":[{{"item":"lunch","weekdays":[{every}],"energy_kcal":650}}]'
    return ",".join([workouts, meals, *_valid(day, valid)])


def _plan_end(who: Person, rng: Random, day: int, detail: str) -> str:
    return f'"effective_until":"{day_text(day + between(rng, 0, 7))}"'


def _valid(day: int, shift: str) -> list[str]:
    """From when on: `shift` is a number of days from today, or nothing, which leaves it out."""
    return [f'"effective_from":"{day_text(day + int(shift))}"'] if shift else []


_MAKERS: dict[str, Callable[[Person, Random, int, str], str]] = {
    "meal.logged": _meal,
    "workout.completed": _workout,
    "water.logged": _water,
    "activity.recorded": _activity,
    "sleep.recorded": _sleep,
    "body.measured": _measured,
    "profile.updated": _profile,
    "goal.set": _goal,
    "plan.assigned": _plan,
    "plan.ended": _plan_end,
}
