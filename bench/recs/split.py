"""A time split of a made-up audience: what is learnt from, and the first new video that each user likes afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass

from producers.audience import Faults, events, videos
from producers.tastes import Received

START_MS = 1_772_366_400_000
"""2026-03-01T12:00Z"""
DAY_MS = 86_400_000
LIKED = 0.5
"""From half of its length on."""


@dataclass(slots=True)
class Split:
    """Both sides."""

    records: list[Received]
    """What is learnt from, as records of `views`."""
    now_ms: int
    seen: dict[str, set[str]]
    """User → videos of the time before."""
    viewers: dict[str, int]
    """Video → users who liked it before: how popular it is."""
    goals: dict[str, str]
    """User → the first video that is liked afterwards and was not seen before."""
    catalogue: list[str]


def split(users: int, views: int, catalogue: int, days: int, seed: int, learnt: float = 0.8) -> Split:
    """Cut a made-up time at this share of it."""
    span = days * DAY_MS
    now = START_MS + round(span * learnt)
    found = Split([], now, {}, {}, {}, [video.id for video in videos(catalogue, seed)])
    liked: dict[str, set[str]] = {}
    faults = Faults(bot=0.01)
    for raw in events(
        users=users, views=views, start_ms=START_MS, span_ms=span, seed=seed, catalogue=catalogue, faults=faults
    ):
        event = json.loads(raw)
        user, at, data = event["subject"], _ms(event["time"]), event.get("data")
        if at < now:
            found.records.append(Received(user.encode(), raw, at))
            if data is not None:
                found.seen.setdefault(user, set()).add(data["content"])
                if _is_liked(data):
                    liked.setdefault(data["content"], set()).add(user)
        elif data is not None and _is_liked(data) and data["content"] not in found.seen.get(user, ()):
            found.goals.setdefault(user, data["content"])
    found.goals.pop("bot", None)
    found.viewers = {video: len(fans) for video, fans in liked.items()}
    return found


def _is_liked(data: dict[str, float]) -> bool:
    return "kind" in data or data["watched_s"] >= LIKED * data["length_s"]


def _ms(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp() * 1000)
