"""The service: which paths there are, who may use each, and what they share while they run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from api import ingest
from api.config import Config
from api.door import Door
from api.openapi import document
from api.publisher import Publisher
from api.who import admin_or_open
from schemas.metrics import Meters

_json = msgspec.json.Encoder().encode

Scrape = Callable[[], bytes]
"""All metrics of the process, in Prometheus' text format."""


def build(config: Config, meters: Meters, scrape: Scrape) -> ASGIApp:
    """The ASGI app. It asks no server before it runs, and starts while they are down."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        publisher = Publisher(config.kafka, answer_s=config.answer_s)
        try:
            await publisher.asked()
            yield {
                "config": config,
                "meters": meters,
                "scrape": scrape,
                "ingest": ingest.Ingest(config, publisher, meters),
            }
        finally:
            await publisher.close()

    routes = [
        Route("/v1/events", ingest.post, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
    ]
    # Starlette's own class would answer what is raised in plain text before the door can; its router does not.
    app: ASGIApp = Door(Router(routes, redirect_slashes=False, lifespan=lifespan), meters)
    if config.origins:  # outside the door, so that a page may read what it was refused with
        app = CORSMiddleware(
            app,
            allow_origins=config.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Content-Encoding", "If-None-Match", "X-Request-Id"],
            expose_headers=["ETag", "Retry-After", "X-Request-Id"],
        )
    return app


async def healthz(request: Request) -> Response:
    """The process lives. It asks nobody: a restart would not help a server that is down."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def readyz(request: Request) -> Response:
    """Whether events can be taken now; 503 says which server is missing."""
    await admin_or_open(request)
    up = request.state.ingest.publisher.is_up
    said = {"status": "ready" if up else "unfit", "kafka": "up" if up else "down"}
    return Response(_json(said), 200 if up else 503, media_type="application/json")


async def metrics(request: Request) -> Response:
    """For Prometheus."""
    await admin_or_open(request)
    meters: Meters = request.state.meters
    meters.set("daybook_ingest_held_bytes", to=request.state.ingest.room.taken)
    meters.set("daybook_kafka_up", to=float(request.state.ingest.publisher.is_up))
    return Response(request.state.scrape(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def openapi(request: Request) -> Response:
    """What this service offers, as OpenAPI 3.1."""
    await admin_or_open(request)
    return Response(_json(document(request.state.config.limits)), media_type="application/json")
