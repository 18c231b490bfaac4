"""The read side as OpenAPI 3.1, made from the columns that every store has."""

from __future__ import annotations

from typing import Any

from api import asking
from api.problems import responses
from schemas.affinity import LIST_SIZE as MOST_RECOMMENDED
from schemas.tables import DAILY_COLUMNS, PROGRESS_COLUMNS
from schemas.trending import ALL, KINDS, LIST_SIZE, WINDOWS

_DATE = {"type": "string", "format": "date"}
_METRIC = {"type": "string", "enum": [column.name for column in DAILY_COLUMNS[2:]]}
_CLOCK = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
_REFUSED = {
    400: "A parameter cannot be meant so",
    401: "No token, or none that counts",
    403: "The token does not speak for this subject; said alike of users who exist and who do not",
    404: "There is no such kind of list",
    429: "Too many requests a minute: ask again after Retry-After seconds",
    503: "No store answers, and nothing is kept: ask again after Retry-After seconds",
}
_ITEM = {"type": "object", "properties": {"id": {"type": "string"}, "score": {"type": "number"}}}
_SUBJECT: dict[str, Any] = {
    "name": "user",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\x00]+$"},
    "example": "u_1001",
}
_FOR_ADMINS = {
    401: _REFUSED[401],
    403: "Not an admin's token",
    404: "This is no subject",
    429: "Too many requests without a token that counts: ask again after Retry-After seconds",
    501: "No key hashes names here: DAYBOOK_ERASURE_KEY",
    503: "Not all servers answer: ask again, and it goes on",
}
_EXPLAINED: dict[str, Any] = {
    "exists": {"type": "boolean", "description": "Whether anything is left on the day"},
    "row": {"type": "object", "description": "What the row must say"},
    "counted": {"type": "array", "items": {"type": "object"}},
    "left_out": {"type": "array", "items": {"type": "object"}, "description": "Each with `why`"},
    "stores": {"type": "object", "description": "Store: what it says"},
    "agrees": {"type": "object", "description": "Store: whether that is the same"},
}
_TYPES: dict[object, dict[str, Any]] = {
    float: {"type": "number"},
    int: {"type": "integer"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
}


def described() -> dict[str, Any]:
    """Paths of the read side."""
    metrics = _object(
        {
            column.name: {"type": "string", "format": "date-time", "description": column.what}
            if column.name.endswith("_at")
            else _TYPES.get(column.type, {}) | {"description": column.what}
            for column in DAILY_COLUMNS[2:]
        }
    )
    progress = {column.name: {"description": column.what} for column in PROGRESS_COLUMNS[1:]}
    user = {"user_id": {"type": "string"}}
    zone = [
        _query("timezone", {"type": "string"}, "IANA zone whose day is meant; UTC if left out", "Europe/Berlin"),
        _query("day_start", {"type": "string", "pattern": _CLOCK}, "When the user's day begins, HH:MM", "04:00"),
    ]
    fields = _query("fields", {"type": "string"}, "Columns, with commas between; all if left out", "steps,energy_kcal")
    day = _object({"date": _DATE, "metrics": metrics})
    return {
        **_user(
            "today",
            "The day that it is for the user",
            _object({**user, "date": _DATE, "metrics": metrics}),
            [*zone, fields],
        ),
        **_user(
            "days",
            "Days, newest first; those without anything are left out",
            _object(
                {
                    **user,
                    "days": {"type": "array", "items": day},
                    "next": {"type": ["string", "null"], "description": "cursor of the next page"},
                    "unknown": {"type": "array", "items": _DATE, "description": "days that no store could tell of now"},
                }
            ),
            [
                _query("from", _DATE, f"First day; {asking.SPAN_DAYS} days up to `to` if left out", "2026-03-01"),
                _query("to", _DATE, "Last day; today if left out", "2026-03-31"),
                _query("limit", _whole(asking.MOST_DAYS, asking.PAGE_DAYS), "Calendar days of a page"),
                _query("cursor", {"type": "string", "minLength": 1}, "`next` of the page before"),
                *zone,
                fields,
            ],
        ),
        **_user("progress", "Rolling windows, strength, load, streaks, records", _object(user | progress), []),
        **_user("streaks", "Days in a row", _object({**user, "as_of": {}, "streaks": {"type": "object"}}), []),
        **_user("records", "Personal records", _object({**user, "as_of": {}, "records": {"type": "object"}}), []),
        **_user(
            "recommendations",
            "What the user may like and has not seen, with the parts of each score",
            _object(
                {
                    **user,
                    "known": {"type": "boolean", "description": "false: nothing is known, so this is what trends"},
                    "at": {"type": ["string", "null"], "description": "the stream's clock"},
                    "items": {
                        "type": "array",
                        "items": _object({"id": {"type": "string"}, "score": {"type": "number"}}),
                    },
                }
            ),
            [
                _query("region", _region(), "ISO 3166-1 code of two letters, for who is not known", "DE"),
                _query("limit", _whole(MOST_RECOMMENDED, MOST_RECOMMENDED), "Places"),
            ],
        ),
        **_user(
            "explain",
            "What a day's numbers are made of: what counts, what was left out and why, and what each store says",
            _object({**user, "date": _DATE, **_EXPLAINED}),
            [
                _query("date", _DATE, "The day", "2026-03-01") | {"required": True},
                _query(
                    "metric",
                    _METRIC,
                    "One column; all if left out",
                    "steps",
                ),
            ],
        ),
        "/v1/users/{user}/data": _data(),
        "/v1/users/{user}/erasure": _erasure(),
        "/v1/trending/{kind}": _trending(),
        "/v1/stream": _stream([_query("date", _DATE, "Another day than today"), *zone, fields]),
        "/v1/operator": _operator(),
    }


def _trending() -> dict[str, Any]:
    said: dict[str, Any] = {name: {"type": "string"} for name in ("kind", "region", "window")}
    said |= {
        "at": {"type": ["string", "null"], "description": "the stream's clock"},
        "items": {"type": "array", "items": _ITEM},
    }
    kind = {"name": "kind", "in": "path", "required": True, "schema": {"type": "string", "enum": list(KINDS)}}
    asked = [
        kind,
        _query("region", _region(ALL) | {"default": ALL}, "ISO 3166-1 code of two letters, or all"),
        _query("window", {"type": "string", "enum": list(WINDOWS), "default": "24h"}, "How far back it looks"),
        _query("limit", _whole(LIST_SIZE, LIST_SIZE), "Places"),
        _query("why", {"type": "string", "enum": ["true", "false"]}, "Also the parts of each score"),
    ]
    return _get("trending", "What trends", _object(said), asked)


def _stream(asked: list[dict[str, Any]]) -> dict[str, Any]:
    user = {"name": "user", "in": "query", "required": True, "schema": {"type": "string"}, "example": "u_1001"}
    found = _get(
        "stream",
        "today as it changes, as server-sent events: event today, id date/version",
        _object({}),
        [user, *asked],
    )
    each = _object({"event": {"const": "today"}, "id": {"type": "string"}, "data": {"type": "string"}})
    each |= {"description": "Each event; data is what today answers", "required": ["event", "id", "data"]}
    events = {"text/event-stream": {"schema": each}}
    found["get"]["responses"]["200"] = {"description": "Ends after ten minutes: come back", "content": events}
    del found["get"]["responses"]["304"]
    return found


def _operator() -> dict[str, Any]:
    lists = {name: {"type": ["array", "null"], "items": {"type": "object"}} for name in ("roles", "refused")}
    counted = ("events", "audit", "lag_s", "fresh_s", "stores", "aside", "spool", "keep")
    counts = {name: {"type": "object"} for name in counted} | {"erasures": {"type": ["object", "null"]}}
    found = _get("operator", "How servers and workers are: for admins", _object({**lists, **counts}), [])
    found["get"]["responses"]["403"] = responses({403: "Not an admin's token"})["403"]
    del found["get"]["responses"]["304"], found["get"]["responses"]["503"]
    return found


def _data() -> dict[str, Any]:
    rows = {"application/x-ndjson": {"schema": {"type": "string"}}}
    begun = {"application/json": {"schema": _object({"status": {"const": "under way"}})}}
    refused = {number: why for number, why in _REFUSED.items() if number != 400}
    return {
        "get": {
            "operationId": "exportData",
            "summary": "All that the stores and the archive hold of the user, as JSON lines",
            "security": [{"token": []}],
            "parameters": [
                {"name": "user", "in": "path", "required": True, "schema": {"type": "string"}, "example": "u_1001"}
            ],
            "responses": {
                "200": {"description": "A row a line; an answer that is cut off is not whole", "content": rows},
                **responses(refused | {404: "This is no subject"}),
            },
        },
        "delete": {
            "operationId": "eraseUser",
            "summary": "Erase the user from every store, for good: for admins. Asked again, it goes on",
            "security": [{"token": []}],
            "parameters": [_SUBJECT],
            "responses": {
                "202": {
                    "description": "Nothing of the user is taken any more; Location says how far the rest is",
                    "content": begun,
                },
                **responses(_FOR_ADMINS | {409: "Another erasure is under way: ask again when it is done"}),
            },
        },
    }


def _erasure() -> dict[str, Any]:
    receipt = _object({name: {"type": "string"} for name in ("subject", "kid", "begun_at", "finished_at", "signature")})
    receipt["properties"] |= {"stores": {"type": "object"}, "kafka_until": {"type": "object"}}
    said = {
        "status": {
            "enum": ["under way", "begun", "done"],
            "description": "begun: elsewhere, or cut short: DELETE goes on",
        },
        "step": {"type": "string", "description": "The last one that is done"},
        "begun_at": {"type": "string", "format": "date-time"},
        "receipt": receipt,
    }
    return {
        "get": {
            "operationId": "erasure",
            "summary": "How far the user's last erasure is, and its signed receipt: for admins",
            "security": [{"token": []}],
            "parameters": [_SUBJECT],
            "responses": {
                "200": {"description": "How far", "content": {"application/json": {"schema": _object(said)}}},
                **responses(_FOR_ADMINS | {404: "This user was never erased"}),
            },
        }
    }


def _user(name: str, summary: str, schema: dict[str, Any], asked: list[dict[str, Any]]) -> dict[str, Any]:
    user = {"name": "user", "in": "path", "required": True, "schema": {"type": "string"}, "example": "u_1001"}
    return {f"/v1/users/{{user}}/{name}": _get(name, summary, schema, [user, *asked])}


def _get(name: str, summary: str, schema: dict[str, Any], asked: list[dict[str, Any]]) -> dict[str, Any]:
    stale = {"stale_s": {"type": "integer", "description": "Age in seconds, where no store answers and this is kept"}}
    schema = schema | {"properties": schema["properties"] | stale}
    done = {
        "200": {"description": summary, "content": {"application/json": {"schema": schema}}},
        "304": {"description": "As If-None-Match says, the reader has it already"},
    }
    match = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "security": [{"token": []}],
            "parameters": [*asked, match],
            "responses": done | responses(_REFUSED),
        }
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _region(*more: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^({'|'.join(['[A-Za-z]{2}', *more])})$"}


def _whole(most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


def _query(name: str, schema: dict[str, Any], what: str, example: str | None = None) -> dict[str, Any]:
    found = {"name": name, "in": "query", "description": what, "schema": schema}
    return found if example is None else found | {"example": example}
