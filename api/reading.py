"""GET: a user's days, progress, streaks and records, and what trends. Who may is asked before anything is looked up."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import asking
from api.kept import Kept
from api.pacer import Pacer
from api.problems import Problem, unavailable
from api.stores import Away, Stores, Unmade
from api.who import who
from schemas.affinity import LIST_SIZE
from schemas.progress import ProgressRow
from schemas.rows import DailyRow
from schemas.tables import DAILY_COLUMNS
from schemas.trending import ALL
from sinks.redis.encode import instant

_json = msgspec.json.Encoder(order="deterministic").encode
METRICS = frozenset(column.name for column in DAILY_COLUMNS[2:])
"""What `fields` may name of a day."""
PRIVATE = "private, no-cache"
"""May be kept by the reader's own cache, which must ask each time whether it still holds."""
OWN_LIST = "private, max-age=60"
SHARED = "public, max-age=30, stale-if-error=600"


UNMADE = "the stores have no tables yet: whoever runs this service has to call daybook migrate"


class Reading:
    """What requests share."""

    def __init__(self, stores: Stores, pacer: Pacer) -> None:
        self.stores, self.pacer, self.kept = stores, pacer, Kept()


async def today(request: Request) -> Response:
    """The day that it is for a user: ?timezone=, ?day_start=, ?fields=."""
    user = await _user(request)
    query = request.query_params
    at = asking.today(_now_ms(), query.get("timezone"), query.get("day_start"))
    wanted = asking.fields(query.get("fields"), METRICS)

    async def read() -> dict[str, Any]:
        found = await _shared(request).stores.days(user, [at])
        return day_said(user, at, found.rows.get(str(at)), wanted)

    return await _answer(request, ("today", user, at, wanted), read, PRIVATE)


async def days(request: Request) -> Response:
    """A user's days, newest first, those without anything left out: ?from=, ?to=, ?limit=, ?cursor=, ?fields=."""
    user = await _user(request)
    page = asking.page(request.query_params, _now_ms())
    wanted = asking.fields(request.query_params.get("fields"), METRICS)

    async def read() -> dict[str, Any]:
        found = await _shared(request).stores.days(user, page.days)
        rows = [found.rows[name] for name in map(str, page.days) if name in found.rows]
        said = {"user_id": user, "days": [{"date": row.date, "metrics": _metrics(row, wanted)} for row in rows]}
        return said | {"next": page.next} | ({"unknown": found.unknown} if found.unknown else {})

    return await _answer(request, ("days", user, page.days[0], page.days[-1], page.next, wanted), read, PRIVATE)


async def progress(request: Request) -> Response:
    """What a user's days come to, as of the latest day with anything on it."""
    return await _progress(request, lambda row: msgspec.to_builtins(row))


async def streaks(request: Request) -> Response:
    """A user's days in a row."""
    return await _progress(request, lambda row: {"as_of": row.as_of, "streaks": row.streaks or {}})


async def records(request: Request) -> Response:
    """A user's personal records."""
    return await _progress(request, lambda row: {"as_of": row.as_of, "records": row.records or {}})


async def _progress(request: Request, said: Callable[[ProgressRow], dict[str, Any]]) -> Response:
    user = await _user(request)

    async def read() -> dict[str, Any]:
        row = await _shared(request).stores.progress(user) or ProgressRow(user, 0)
        return said(row) | {"user_id": user}

    return await _answer(request, (request.scope["route"].path, user), read, PRIVATE)


async def recommendations(request: Request) -> Response:
    """What a user may like and has not seen: ?region=, for who is not known yet, and ?limit=."""
    user = await _user(request)
    wanted = asking.recommended(request.query_params)

    async def read() -> dict[str, Any]:
        stores = _shared(request).stores
        row = await stores.recommended(user)
        said: dict[str, Any] = {"user_id": user, "known": row is not None and bool(row.entries)}
        entries = row.entries if row is not None else []
        cold = request.state.config.cold
        if not entries and cold is not None:
            lists = {name: await stores.listed("videos", name, "24h") for name in (wanted.region, ALL) if name}
            ids = {name: [entry.id for entry in found.entries] for name, found in lists.items() if found}
            entries = cold(ids, wanted.region, LIST_SIZE)
        items = [msgspec.to_builtins(entry) | {"score": entry.score / 1000} for entry in entries[: wanted.limit]]
        return said | {"at": instant(row.at_ms) if said["known"] and row else None, "items": items}

    return await _answer(request, ("recommendations", user, wanted), read, OWN_LIST)


async def trending(request: Request) -> Response:
    """A trending list: ?region=, ?window=, ?limit=; with ?why=true the parts of each score."""
    await _shared(request).pacer.take(await who(request), "requests")
    query = request.query_params
    wanted = asking.trending(request.path_params["kind"], query)
    why = query.get("why", "false")
    if why not in ("true", "false"):
        raise Problem(400, "why must be true or false")

    async def read() -> dict[str, Any]:
        stores = _shared(request).stores
        key = wanted[:3]
        said: dict[str, Any] = {"kind": wanted.kind, "region": wanted.region, "window": wanted.window}
        if why == "false":
            try:
                ranked = await stores.ranked(*key, wanted.limit)
            except Away:
                ranked = None
            if ranked is not None:
                items = [{"id": name, "score": score / 1000} for name, score in ranked.items]
                return said | {"at": instant(ranked.at_ms), "items": items}
        row = await stores.listed(*key)
        if row is None:
            return said | {"at": None, "items": []}
        entries = row.entries[: wanted.limit]
        if why == "false":
            items = [{"id": entry.id, "score": entry.score / 1000} for entry in entries]
        else:
            items = [msgspec.to_builtins(entry) | {"score": entry.score / 1000} for entry in entries]
        return said | {"at": instant(row.at_ms), "items": items}

    return await _answer(request, ("trending", wanted, why), read, SHARED)


async def may_read(request: Request, user: str | None) -> str:
    """Whose numbers are asked for. Raises Problem 401, 429, or 403: alike whether that user exists or not."""
    sender = await who(request)
    await _shared(request).pacer.take(sender, "requests")
    if user is None:
        raise Problem(400, "user must be given")
    if not sender.speaks_for(user):
        raise Problem(403, "the token does not speak for this subject")
    if "\0" in user or len(user) > 1_000:
        raise Problem(404, "there is nothing here")
    return user


async def _answer(
    request: Request, asked: tuple[Any, ...], read: Callable[[], Awaitable[dict[str, Any]]], cache: str
) -> Response:
    kept = _shared(request).kept
    now = time.monotonic()
    try:
        body = _json(await read())
        kept.put(asked, body, now)
    except Away as why:
        user = request.path_params.get("user", "").encode()
        found = None if request.state.ingest.suppression.erased.has(user) else kept.get(asked, now)
        if found is None:
            raise unavailable(UNMADE if isinstance(why, Unmade) else "the stores do not answer", 2) from None
        age, before = found
        body, cache = _json(msgspec.json.decode(before) | {"stale_s": round(age)}), "no-store"
    tag = asking.etag(body)
    headers = {"ETag": tag, "Cache-Control": cache, "Vary": "Authorization"}
    if cache == SHARED:
        del headers["Vary"]
    if asking.has(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


async def _user(request: Request) -> str:
    return await may_read(request, request.path_params["user"])


def day_said(user: str, at: date, row: DailyRow | None, wanted: frozenset[str] | None) -> dict[str, Any]:
    """What is answered of one day."""
    return {"user_id": user, "date": str(at), "metrics": {} if row is None else _metrics(row, wanted)}


def _metrics(row: DailyRow, wanted: frozenset[str] | None) -> dict[str, Any]:
    """What a row says, by the stores' names; what is missing is left out."""
    found: dict[str, Any] = {}
    for column in DAILY_COLUMNS[2:]:
        value = getattr(row, column.field)
        if value is not None and (wanted is None or column.name in wanted):
            found[column.name] = instant(value) if column.name.endswith("_at") else value
    return found


def _shared(request: Request) -> Reading:
    shared: Reading = request.state.reading
    return shared


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
