"""The service: which paths there are, who may use each, and what they share while they run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from api import erasing, explaining, exporting, ingest, live, operating, pages, reading
from api.config import Config
from api.door import Door
from api.erasing import Erasing
from api.explaining import Explaining
from api.exporting import Exporting
from api.live import Live
from api.openapi import document
from api.operating import Operating
from api.outlet import Outlet
from api.pacer import Pacer
from api.problems import Problem
from api.publisher import Publisher
from api.spool import Spool
from api.stores import Stores
from api.suppression import Suppression
from api.tokens import Checked
from api.who import admin_or_open
from schemas.metrics import Meters

_json = msgspec.json.Encoder().encode

Scrape = Callable[[], bytes]
"""All metrics of the process, in Prometheus' text format."""


def build(config: Config, meters: Meters, scrape: Scrape, leaving: asyncio.Event) -> ASGIApp:
    """The ASGI app. It asks no server before it runs, and starts while they are down. `leaving`: see `live.Live`."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        publisher = Publisher(config.kafka, answer_s=config.answer_s)
        stores = Stores(config.redis, config.postgres, meters)
        pacer = Pacer(stores, config.limits, behind_proxies=config.behind_proxies)
        spool = config.spool or Spool(Path(), 0)
        outlet = Outlet(config.kafka, publisher, spool, meters)
        suppression = Suppression(config.kafka, config.erasure_key)
        try:
            await stores.open()
            await publisher.asked()
            outlet.begin()
            suppression.begin()
            shared = reading.Reading(stores, pacer)
            yield {
                "config": config,
                "checked": Checked(),
                "pacer": pacer,
                "meters": meters,
                "scrape": scrape,
                "ingest": ingest.Ingest(config, outlet, pacer, meters, suppression),
                "reading": shared,
                "live": Live(shared, leaving),
                "explaining": Explaining(config),
                "operating": Operating(config),
                "erasing": Erasing(config),
                "exporting": Exporting(config),
            }
        finally:
            await suppression.close()
            await outlet.close()
            await publisher.close()
            await stores.close()

    # Starlette's own class would answer what is raised in plain text before the door can; its router does not.
    app: ASGIApp = Door(Router(ROUTES, redirect_slashes=False, lifespan=lifespan), meters)
    if config.origins:  # outside the door, so that a page may read what it was refused with
        app = CORSMiddleware(
            app,
            allow_origins=config.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Content-Encoding", "If-None-Match", "X-Request-Id"],
            expose_headers=["ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"],
        )
    return app


async def healthz(request: Request) -> Response:
    """The process lives. It asks nobody: a restart would not help a server that is down."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def readyz(request: Request) -> Response:
    """Whether events can be taken (?part=ingest) and numbers given (?part=read) now; without a part, both. 503 if not,
    and which server is missing; and what waits on the disk for Kafka."""
    await admin_or_open(request)
    part = request.query_params.get("part")
    if part not in (None, "ingest", "read"):
        raise Problem(400, "part must be ingest or read")
    outlet: Outlet = request.state.ingest.outlet
    up = {"kafka": outlet.is_up}
    up |= {name: not breaker.is_open for name, breaker in request.state.reading.stores.breakers.items()}
    fit = (part == "read" or outlet.takes) and (part == "ingest" or up["redis"] or up["postgres"])
    said: dict[str, Any] = {"status": "ready" if fit else "unfit"}
    said |= {name: "up" if is_up else "down" for name, is_up in up.items()}
    if not up["postgres"] and request.state.reading.stores.unmade:
        said["postgres"] = "without tables: daybook migrate"
    if outlet.spool.takes or not outlet.spool.is_empty:
        said["spooled"] = {"events": outlet.spool.events, "bytes": outlet.spool.left}
    return Response(_json(said), 200 if fit else 503, media_type="application/json")


async def metrics(request: Request) -> Response:
    """For Prometheus."""
    await admin_or_open(request)
    meters: Meters = request.state.meters
    meters.set("daybook_ingest_held_bytes", to=request.state.ingest.room.taken)
    outlet: Outlet = request.state.ingest.outlet
    meters.set("daybook_kafka_up", to=float(outlet.is_up))
    meters.set("daybook_ingest_spooled_events", to=outlet.spool.events)
    meters.set("daybook_ingest_spooled_bytes", to=outlet.spool.left)
    meters.set("daybook_ingest_spool_bytes", to=outlet.spool.bytes)
    meters.set("daybook_ingest_spool_limit_bytes", to=outlet.spool.most)
    meters.set("daybook_ingest_spool_damaged_bytes", to=outlet.spool.damaged)
    request.state.reading.stores.tell()
    return Response(request.state.scrape(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def openapi(request: Request) -> Response:
    """What this service offers, as OpenAPI 3.1."""
    await admin_or_open(request)
    return Response(_json(document(request.state.config.limits)), media_type="application/json")


ROUTES = [
    Route("/v1/events", ingest.post, methods=["POST"]),
    Route("/v1/users/{user:path}/today", reading.today),
    Route("/v1/users/{user:path}/days", reading.days),
    Route("/v1/users/{user:path}/progress", reading.progress),
    Route("/v1/users/{user:path}/streaks", reading.streaks),
    Route("/v1/users/{user:path}/records", reading.records),
    Route("/v1/users/{user:path}/recommendations", reading.recommendations),
    Route("/v1/users/{user:path}/explain", explaining.explain),
    Route("/v1/users/{user:path}/data", erasing.erase, methods=["DELETE"]),
    Route("/v1/users/{user:path}/data", exporting.export),
    Route("/v1/users/{user:path}/erasure", erasing.erasure),
    Route("/v1/trending/{kind}", reading.trending),
    Route("/v1/stream", live.stream),
    Route("/v1/operator", operating.operator),
    Route("/", pages.page),
    Route("/page/{name:path}", pages.page),
    Route("/healthz", healthz),
    Route("/readyz", readyz),
    Route("/metrics", metrics),
    Route("/openapi.json", openapi),
]
