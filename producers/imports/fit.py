"""Garmin's FIT files, decoded by fitdecode (MIT): workouts, a scale's weights; days and sleeps in fit_days.py.

* Times are UTC. Where a file knows its local time (`activity`, `monitoring_info`) they are written with that offset, as
  the device's owner lived them; else in --timezone, else as Z, which the profile's zone decides.
* A session is a workout: its timer without pauses, its calories, heart rate and RPE. Strength sets come from `set`
  messages (rests are skipped), a distance becomes one set. The way between two sports of a triathlon is none.
* Entities are made of the device's serial number and the start: a file that came by cable and by cloud counts once.
* A scale's file with several people is refused row by row until --person says whose weights to take.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO

import fitdecode

from producers.imports.fit_days import Origin, amount_of, monitored_days, ms_of, sleeps
from producers.imports.outcome import Bad, Draft, ImportProblem, Options, Outcome, Skipped, Warned
from producers.imports.quantities import plain

Message = Mapping[str, Any]
"""Field → value, those without one left out, and `place`."""
KINDS = {"running": "run", "cycling": "ride", "walking": "walk", "hiking": "hike", "swimming": "swim", "rowing": "row"}
"""FIT's sport → the workout's kind; others keep FIT's name."""
SPECIAL = {"strength_training": "strength", "yoga": "yoga", "pilates": "pilates", "cardio_training": "cardio"}
"""FIT's sub-sports that say more than the sport."""
_READ = frozenset(("session", "set", "monitoring", "weight_scale", "sleep_level"))
"""Messages that are rows; those of _CONTEXT tell about them; all others are skipped and counted."""
_CONTEXT = frozenset(("file_id", "device_info", "activity", "monitoring_info", "event"))


def read(stream: BinaryIO, name: str, options: Options) -> Iterator[Outcome]:
    """All that a file has, session by session, day by day. Raises ImportProblem where it is no FIT file."""
    found: dict[str, list[Message]] = defaultdict(list)
    others: Counter[str] = Counter()
    broken: Bad | None = None
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        try:
            _collect(stream, found, others)
        except Exception as why:  # spoiled bytes bring up any error there is in the decoder, not only its own
            broken = Bad(f"message {_count(found, others) + 1}", f"the file breaks off: {why}")
    if not found and not others:
        raise ImportProblem(f"{name}: is no FIT file: {broken.reason if broken else 'it is empty'}")
    yield from (Warned("file", str(doubt.message)) for doubt in doubts)
    yield from (Skipped(f"{message} messages", rows) for message, rows in sorted(others.items()))
    origin = _origin(found, options)
    yield from _workouts(found, origin)
    yield from _weights(found, origin, options)
    yield from monitored_days(found["monitoring"], found["monitoring_info"], origin)
    yield from sleeps(found["sleep_level"], found["event"], origin)
    if broken:
        yield broken


def _collect(stream: BinaryIO, found: dict[str, list[Message]], others: Counter[str]) -> None:
    number = 0
    with fitdecode.FitReader(io.BytesIO(stream.read())) as reader:
        for frame in reader:
            if frame.frame_type != fitdecode.FIT_FRAME_DATA:
                continue
            number += 1
            if frame.name in _READ or frame.name in _CONTEXT:
                fields = {field.name: field.value for field in frame.fields if field.value is not None}
                found[frame.name].append(fields | {"place": f"message {number}"})
                if frame.name in _CONTEXT:
                    others[frame.name] += 1
            else:
                others[frame.name] += 1


def _count(found: Mapping[str, list[Message]], others: Counter[str]) -> int:
    return others.total() + sum(len(messages) for name, messages in found.items() if name in _READ)


def _origin(found: Mapping[str, list[Message]], options: Options) -> Origin:
    """Which device it was, and where its clock stood."""
    head: Message = next(iter(found["file_id"]), {})
    product = head.get("product_name") or head.get("garmin_product") or head.get("product")
    creator: Message = next((m for m in found["device_info"] if m.get("device_index") in ("creator", 0)), {})
    version = creator.get("software_version")
    device = " ".join(str(part) for part in (head.get("manufacturer", "fit"), product) if part is not None)
    source = f"{device.replace('/', ' ')[:150]}" + (f"/{version}" if version is not None else "/fit")
    offset = None
    for message in (*found["activity"], *found["monitoring_info"]):
        at, local = message.get("timestamp"), message.get("local_timestamp")
        if isinstance(at, datetime) and isinstance(local, datetime):
            minutes = round((local - at).total_seconds() / 60)
            if abs(minutes) <= 15 * 60:
                offset = minutes
    return Origin(source, str(head.get("serial_number", 0)), offset, options.timezone)


def _workouts(found: Mapping[str, list[Message]], origin: Origin) -> Iterator[Outcome]:
    sessions = found["session"]
    sets = [m for m in found["set"] if m.get("set_type", "active") == "active"]
    if rests := len(found["set"]) - len(sets):
        yield Skipped("rests between sets", rests)
    for n, session in enumerate(sessions):
        start = ms_of(session.get("start_time"))
        if start is None:
            yield Bad(session["place"], "a session without a start")
            continue
        if session.get("sport") == "transition":
            yield Skipped("transitions between sports")
            continue
        following = ms_of(sessions[n + 1].get("start_time")) if n + 1 < len(sessions) else None
        own = [m for m in sets if _within(m, start if n else None, following)]
        sets = [m for m in sets if m not in own]
        data = _workout(session, [one for m in own if (one := _set(m))])
        time = origin.time(start)
        key = (origin.serial, origin.utc(start), data["kind"])
        yield Draft(session["place"], "workout.completed", time, origin.source, key, data, 1 + len(own))
    yield from (Bad(m["place"], "a set without a session") for m in sets)


def _within(message: Message, start: int | None, end: int | None) -> bool:
    at = ms_of(message.get("start_time") or message.get("timestamp"))
    return at is None or ((start is None or at >= start) and (end is None or at < end))


def _workout(session: Message, sets: list[dict[str, Any]]) -> dict[str, Any]:
    sport = str(session.get("sport", "workout"))
    kind = SPECIAL.get(str(session.get("sub_sport")), KINDS.get(sport, sport))
    data: dict[str, Any] = {"kind": kind}
    duration = session.get("total_timer_time", session.get("total_elapsed_time"))
    for field, value in (
        ("duration_s", duration),
        ("calories_kcal", session.get("total_calories")),
        ("avg_heart_rate_bpm", session.get("avg_heart_rate")),
        ("max_heart_rate_bpm", session.get("max_heart_rate")),
    ):
        if (amount := amount_of(value)) is not None:
            data[field] = plain(amount)
    if rpe := amount_of(session.get("workout_rpe")):
        data["rpe"] = plain(rpe / 10)  # FIT has 0 to 100
    if sets:
        data["sets"] = sets
    elif distance := amount_of(session.get("total_distance")):
        data["sets"] = [{"exercise": kind, "distance_m": plain(distance)}]
        if "duration_s" in data:
            data["sets"][0]["seconds"] = data["duration_s"]
    return data


def _set(message: Message) -> dict[str, Any]:
    category = message.get("category")
    names = category if isinstance(category, tuple | list) else (category,)
    one: dict[str, Any] = {"exercise": next((str(name) for name in names if name is not None), "unknown")}
    for field, of, places in (("reps", "repetitions", 0), ("load_kg", "weight", 3), ("seconds", "duration", 3)):
        if (amount := amount_of(message.get(of))) is not None:
            one[field] = plain(amount, places)
    return one


def _weights(found: Mapping[str, list[Message]], origin: Origin, options: Options) -> Iterator[Outcome]:
    people = sorted({str(m["user_profile_index"]) for m in found["weight_scale"] if "user_profile_index" in m})
    for message in found["weight_scale"]:
        person = message.get("user_profile_index")
        at = ms_of(message.get("timestamp"))
        data = {
            field: plain(amount)
            for field, of in (("weight_kg", "weight"), ("body_fat_pct", "percent_fat"))
            if (amount := amount_of(message.get(of))) is not None
        }
        if options.person is None and len(people) > 1:
            several = ", ".join(people)
            yield Bad(message["place"], f"the weights of several people ({several}): say whose with --person")
        elif options.person is not None and person is not None and person != options.person:
            yield Skipped("weights of somebody else")
        elif at is None or not data:
            yield Bad(message["place"], "a weight without a time or a value")
        else:
            key = (origin.serial, origin.utc(at))
            yield Draft(message["place"], "body.measured", origin.time(at), origin.source, key, data)
