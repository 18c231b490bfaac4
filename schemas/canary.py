"""Canaries: events of made-up users, by which it is measured how long an event takes to be readable in every store.

A canary is a meal that is logged and deleted again in the same breath. It travels as every meal does, through fold,
transaction and sinks, and leaves a row of nulls with a higher version: every reader takes that for no row (DESIGN §8
rule 10), so no analyst ever counts one. One entity a subject, whose day is today: what grows is a row of nulls a day.

The subjects are reserved: what is sent under them by others is folded, but kept out of ClickHouse's table `events`.
"""

from __future__ import annotations

import msgspec

SUBJECT = "daybook.canary."
"""How the subjects begin."""
SUBJECT_BYTES = SUBJECT.encode()
_SOURCE = "daybook/canary"
_json = msgspec.json.Encoder().encode


def subject(number: int) -> str:
    """The subject with a number; which partition it falls into is for the sender to find."""
    return f"{SUBJECT}{number}"


def is_canary(user: str) -> bool:
    """Whether a user is made up for this.

    >>> is_canary(subject(7)), is_canary("u_1")
    (True, False)
    """
    return user.startswith(SUBJECT)


def events(user: str, revision: int, date: str) -> tuple[bytes, bytes]:
    """The meal with this revision, and its deletion with the next: two events for the topic `meals`, in this order.

    ``date``: YYYY-MM-DD, the local day whose row is made again.
    """
    common = {"specversion": "1.0", "source": _SOURCE, "subject": user, "entity": "canary"}
    logged = {
        "id": f"canary-{revision}",
        "type": "meal.logged",
        "time": f"{date}T00:00:00+00:00",
        "revision": revision,
        "data": {"meal_type": "snack", "items": [{"name": "seed", "energy_kcal": 1}]},
    }
    deleted = {
        "id": f"canary-{revision + 1}",
        "type": "meal.deleted",
        "time": f"{date}T00:00:00+00:00",
        "revision": revision + 1,
        "data": {},
    }
    return _json(common | logged), _json(common | deleted)
