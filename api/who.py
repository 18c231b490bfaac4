"""Who asks: from a request's Authorization header. The same words for every token that does not count."""

from __future__ import annotations

import time

from starlette.requests import Request

from api import tokens
from api.config import Config
from api.pacer import Pacer
from api.problems import Problem, unauthorized
from api.tokens import Checked, Known, Untrusted, Who


async def who(request: Request) -> Who:
    """Whom the request's token speaks for. Raises Problem 401, or 429 where its address has sent too many that do not
    count: a token that was not seen before is not looked at then."""
    pacer: Pacer = request.state.pacer
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        await pacer.stranger(request, count=True)
        raise unauthorized()
    config: Config = request.state.config
    checked: Checked = request.state.checked
    token = token.strip()
    known = checked.get(token)
    if known is None:
        await pacer.stranger(request, count=False)
    try:
        algorithm, kid = tokens.header(token) if known is None else (known.algorithm, known.kid)
        key, sure = await config.keys.find(algorithm, kid)
        if known is None or known.key is not key:  # new, or its issuer's keys were read again
            claims = tokens.verified(token, key, sure, audience=config.audience, issuer=config.issuer)
            known = Known(algorithm, kid, key, claims)
            checked.put(token, known)
        return known.claims.at(time.time())
    except Untrusted as why:
        if known is None:  # else it is a real one, of another time
            await pacer.stranger(request, count=True)
        raise unauthorized(str(why)) from None


async def admin_or_open(request: Request) -> None:
    """Lets everybody pass where health is open, else admins. Raises Problem 401 or 403."""
    if not request.state.config.open_health and (await who(request)).role != "admin":
        raise Problem(403, "this is for admins")
