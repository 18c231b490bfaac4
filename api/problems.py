"""What a request is refused with: one status, one sentence, in the shape of RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec


class Problem(Exception):
    """A request that is not answered as asked; the detail is for the caller and names nothing of anybody else."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})

    def body(self, request_id: str) -> bytes:
        """application/problem+json.

        >>> Problem(409, "no").body("r1")
        b'{"type":"about:blank","title":"Conflict","status":409,"detail":"no","request":"r1"}'
        """
        title = HTTPStatus(self.status).phrase
        said = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return msgspec.json.encode(said | {"request": request_id})


def unavailable(detail: str, retry_after_s: int) -> Problem:
    """Come back later: nothing is lost, and sending the same again changes nothing twice."""
    return Problem(503, detail, {"Retry-After": str(retry_after_s)})


def unauthorized(detail: str | None = None) -> Problem:
    """No token, or none that counts (RFC 6750 §3)."""
    if detail is None:
        return Problem(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
    return Problem(401, detail, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def responses(why: Mapping[int, str]) -> dict[str, Any]:
    """These refusals as OpenAPI describes them."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": text, "content": content} for status, text in why.items()}
