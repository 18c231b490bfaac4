"""GET /: the page, from files that are read once; nothing of it comes from elsewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api import asking
from api.problems import Problem
from api.who import admin_or_open

FOLDER = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Only what is served here is run, shown or asked: a text that became markup could do nothing."""


class File(NamedTuple):
    """One file of the page."""

    body: bytes
    kind: str
    tag: str


@cache
def files() -> dict[str, File]:
    """Name under the folder → file; what is not here is not served, whatever a path says."""
    found = {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*")) if path.suffix in KINDS}
    bodies = {name: path.read_bytes() for name, path in found.items()}
    return {name: File(body, KINDS[found[name].suffix], asking.etag(body)) for name, body in bodies.items()}


async def page(request: Request) -> Response:
    """The page itself, or one of its files."""
    await admin_or_open(request)
    file = files().get(request.path_params.get("name", "index.html"))
    if file is None:
        raise Problem(404, "there is nothing here")
    headers = {"ETag": file.tag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    if asking.has(request.headers.get("if-none-match"), file.tag):
        return Response(status_code=304, headers=headers)
    return Response(file.body, media_type=file.kind, headers=headers)
