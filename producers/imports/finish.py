"""A draft becomes the bytes of one event, or a reason why not: judged by the same codec as every sender's events.

Identity   entity = format, kind and what makes the row itself (time, name, device): the same in every export.
Revision   what the user says, else what the rows say (Apple's export date, a FIT day's last second), else the file's
           last change in minutes since 1970. So the same file gives the same bytes, and a corrected, later export wins.
Id         a hash of all that the event says: equal events have equal ids.
Fields     that the schema refuses for their size are left out with a warning, so that the row still counts; those that
           are implausible travel, and count as missing downstream (schemas/plausible.py): a warning says so here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from producers.imports.outcome import Bad, Draft, Warned
from producers.publish import Record
from producers.send import judge_one
from schemas.codec import Rejected, decode
from schemas.families import FAMILY_OF
from schemas.plausible import LIMITS, implausible

_LONGEST_ENTITY = 120
_json = msgspec.json.Encoder().encode


def finish(draft: Draft, *, form: str, subject: str, revision: int, now_ms: int) -> Iterator[Record | Bad | Warned]:
    """Warnings, then one record or why there is none. `form`: the format's name. `now_ms`: the sender's clock."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "-",
        "source": draft.source,
        "type": draft.type,
        "subject": subject,
        "time": draft.time,
        "entity": entity_of(form, draft),
        "revision": revision,
        "data": draft.data,
    }
    outcome = judge_one(_json(event), now_ms=now_ms)
    while isinstance(outcome, Rejected):
        value = _without_refused(event, outcome)
        if value is None:
            yield Bad(draft.place, f"{outcome.reason} at {outcome.path}", draft.rows)
            return
        yield Warned(draft.place, f"{outcome.path} {value} is left out: {outcome.reason}")
        outcome = judge_one(_json(event), now_ms=now_ms)
    event["id"] = hashlib.sha256(outcome.value).hexdigest()[:32]
    raw = _json(event)
    decoded = decode(raw)
    assert not isinstance(decoded, Rejected)
    for path in implausible(draft.type, decoded.data):
        value, limit = _at(event, _steps(path)), _limit(draft.type, path)
        yield Warned(draft.place, f"{path} {value} counts as missing: more than {limit:g} is implausible")
    yield Record(FAMILY_OF[draft.type], subject.encode(), raw)


def entity_of(form: str, draft: Draft) -> str:
    """Readable where it is short enough, and never longer than the schema's 200 characters.

    >>> entity_of("strong", Draft("line 2", "workout.completed", "", "", ("2024-07-05 07:30:00", "Legs"), {}))
    'strong/workout/2024-07-05 07:30:00/Legs'
    """
    text = "/".join((form, draft.type.partition(".")[0], *draft.key))
    if len(text) <= _LONGEST_ENTITY:
        return text
    return f"{text[:80]}/{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}"


def _without_refused(event: dict[str, Any], why: Rejected) -> Any:
    """Take the number out of `data` that was refused, and return it; None where it is not about such a number."""
    if not why.path.startswith("$.data."):
        return None
    *way, last = _steps(why.path)
    holder = _at(event, way)
    value = holder.get(last) if isinstance(holder, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    del holder[last]
    return value


def _steps(path: str) -> list[str]:
    """$.data.sets[3].reps as data, sets, 3, reps."""
    return path.removeprefix("$.").replace("[", ".").replace("]", "").split(".")


def _at(event: Any, steps: list[str]) -> Any:
    """What lies there."""
    for step in steps:
        event = event[int(step)] if isinstance(event, list) else event[step]
    return event


def _limit(kind: str, path: str) -> float:
    """The largest plausible value of a field, whichever item of a list it is in."""
    return LIMITS[kind][re.sub(r"\[\d+\]", "[]", path).removeprefix("$.data.")]
