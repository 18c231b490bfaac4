"""What the service offers, as OpenAPI 3.1: made from the limits, the verdicts and the event families themselves."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from api import pages, parts
from api.config import Limits
from api.openapi_reads import described
from api.problems import responses
from api.verdicts import Answer
from schemas.export import FOLDER
from schemas.families import MODEL_OF

_EXAMPLE = Path(FOLDER).parent / "examples" / "events.jsonl"


@cache
def document(limits: Limits) -> dict[str, Any]:
    """The whole document."""
    (answer,), components = msgspec.json.schema_components([Answer], ref_template="#/components/schemas/{name}")
    example = json.loads(_EXAMPLE.read_text(encoding="utf-8").splitlines()[0])
    event = {"type": "object", "description": f"A CloudEvent 1.0 of one of the types {', '.join(MODEL_OF)}"}
    bodies: dict[str, Any] = {
        parts.SINGLE: {"schema": event, "example": example},
        parts.BATCH: {"schema": {"type": "array", "items": event, "maxItems": limits.events}, "example": [example]},
        **{kind: {"schema": {"type": "string"}, "example": json.dumps(example) + "\n"} for kind in parts.LINES},
        parts.ANY: {"schema": {"oneOf": [event, {"type": "array", "items": event}]}, "example": [example]},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Daybook",
            "version": "1",
            "description": "Events in, numbers out. Accepted means stored; sending again is free.",
        },
        "paths": {
            "/v1/events": {
                "post": {
                    "operationId": "sendEvents",
                    "summary": f"Send up to {limits.events} events, {limits.body_bytes} bytes packed or unpacked",
                    "security": [{"token": []}],
                    "parameters": [
                        {
                            "name": "Content-Encoding",
                            "in": "header",
                            "schema": {"type": "string", "enum": ["gzip", "zstd", "identity"]},
                        }
                    ],
                    "requestBody": {"required": True, "content": bodies},
                    "responses": {
                        "202": {
                            "description": "A verdict for each event, in their order",
                            "content": {"application/json": {"schema": answer}},
                        },
                        **responses(
                            {
                                400: "The body cannot be read",
                                401: "No token, or none that counts",
                                408: "The body did not arrive in time",
                                413: "Too many bytes or events",
                                429: "Too many a minute, or too many without a token: again after Retry-After seconds",
                                415: "A type or coding that is not known",
                                503: "Nothing is lost: send the same again after Retry-After seconds",
                            }
                        ),
                    },
                }
            },
            **described(),
            "/healthz": _plain("The process lives", {}),
            "/readyz": _plain("Whether events can be taken", {"503": {"description": "Not now"}}),
            "/metrics": _plain("Metrics for Prometheus", {}, "text/plain"),
            "/openapi.json": _plain("This document", {}),
            "/": _plain("The page", {}, "text/html"),
            "/page/{name}": _file(),
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": components | {"Problem": _PROBLEM},
        },
    }


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "request"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request": {"type": "string", "description": "The request's number, also in X-Request-Id"},
    },
}


def _file() -> dict[str, Any]:
    found = _plain("A file of the page", {**responses({404: "There is no such file"})}, "text/plain")
    texts = {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in pages.KINDS.values()}
    found["get"]["responses"]["200"]["content"] = texts
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "example": "main.js"}
    found["get"]["parameters"] = [name]
    return found


def _plain(what: str, more: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    done = {"description": what, "content": {kind: {"schema": {"type": "string"} if kind.startswith("text/") else {}}}}
    refused = responses({401: "Closed by a setting, and no token", 403: "Closed by a setting, and not an admin's"})
    return {"get": {"summary": what, "responses": {"200": done, **refused, **more}}}
