"""Who asks: from a request's Authorization header. The same words for every token that does not count."""

from __future__ import annotations

import time

from starlette.requests import Request

from api import tokens
from api.config import Config
from api.problems import Problem, unauthorized
from api.tokens import Untrusted, Who


async def who(request: Request) -> Who:
    """Whom the request's token speaks for. Raises Problem 401."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized()
    config: Config = request.state.config
    token = token.strip()
    try:
        algorithm, kid = tokens.header(token)
        key, sure = await config.keys.find(algorithm, kid)
        return tokens.read(token, key, sure, now_s=time.time(), audience=config.audience, issuer=config.issuer)
    except Untrusted as why:
        raise unauthorized(str(why)) from None


async def admin_or_open(request: Request) -> None:
    """Lets everybody pass where health is open, else admins. Raises Problem 401 or 403."""
    if not request.state.config.open_health and (await who(request)).role != "admin":
        raise Problem(403, "this is for admins")
