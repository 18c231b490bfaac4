"""Who asks: JSON Web Tokens (RFC 7519) signed by an issuer, or with the installation's own secret.

A user's token writes and reads one subject, a service's many, an admin's all and what operators see. Pure: the time is
an argument, so PyJWT's own look at the clock is switched off and exp and nbf are judged here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple, cast, get_args

import jwt

Role = Literal["user", "service", "admin"]
ROLES: tuple[str, ...] = get_args(Role)
LEEWAY_S = 30
"""How far clocks may differ."""
MAX_TOKEN = 8_192
"""Characters of a token."""


class Untrusted(Exception):
    """The token does not count; the text may be shown to whoever sent it."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a token speaks for."""

    subject: str
    role: Role

    def speaks_for(self, subject: str) -> bool:
        """Whether it may write and read this subject's events and days."""
        return self.role != "user" or subject == self.subject


def issue(who: Who, secret: str, *, now_s: int, lifetime_s: int, audience: str = "daybook") -> str:
    """A token for the installation's own secret (HS256)."""
    claims = {"sub": who.subject, "role": who.role, "aud": audience, "iat": now_s, "exp": now_s + lifetime_s}
    return jwt.encode(claims, secret, algorithm="HS256")


def header(token: str) -> tuple[str, str | None]:
    """Algorithm and key id that a token claims; nothing of it is trusted yet. Raises Untrusted if it is no token."""
    if len(token) > MAX_TOKEN:
        raise Untrusted("the token is too long")
    try:
        found = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Untrusted("this is no JSON Web Token") from None
    algorithm, kid = found.get("alg"), found.get("kid")
    if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
        raise Untrusted("this is no JSON Web Token")
    return algorithm, kid


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says whose signature holds."""

    who: Who
    expires_s: float
    begins_s: float

    def at(self, now_s: float) -> Who:
        """Whom it speaks for at this time. Raises Untrusted."""
        if now_s >= self.expires_s + LEEWAY_S:
            raise Untrusted("the token has expired")
        if now_s < self.begins_s - LEEWAY_S:
            raise Untrusted("the token does not count yet")
        return self.who


def verified(token: str, key: Any, algorithm: str, *, audience: str, issuer: str | None = None) -> Claims:
    """What a token says. `algorithm` is the one that `key` is for, never what the token says of itself (RFC 8725 §3.1).
    Raises Untrusted."""
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "sub", "aud"]}
    try:
        claims = jwt.decode(token, key, [algorithm], options=options, audience=audience, issuer=issuer)
    except jwt.MissingRequiredClaimError as why:
        raise Untrusted(f"the token has no {why.claim}") from None
    except jwt.InvalidAudienceError:
        raise Untrusted("the token is for another audience") from None
    except jwt.InvalidIssuerError:
        raise Untrusted("the token is of another issuer") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Untrusted("the token's signature does not hold") from None
    expires, begins = claims["exp"], claims.get("nbf", 0)
    if not _is_time(expires) or not _is_time(begins):
        raise Untrusted("the token's times are no numbers")
    subject, role = claims["sub"], claims.get("role", "user")
    if not isinstance(subject, str) or not subject or role not in ROLES:
        raise Untrusted("the token names no subject or no known role")
    return Claims(Who(subject, cast(Role, role)), float(expires), float(begins))


def read(token: str, key: Any, algorithm: str, *, now_s: float, audience: str, issuer: str | None = None) -> Who:
    """Whom a token speaks for now; see `verified`. Raises Untrusted."""
    return verified(token, key, algorithm, audience=audience, issuer=issuer).at(now_s)


class Known(NamedTuple):
    """A token that was checked before: what it claimed of its key, the key that it was checked with, what it says."""

    algorithm: str
    kid: str | None
    key: Any
    claims: Claims


class Checked:
    """Tokens whose signature held, the latest `most` by their SHA-256: a signature is not computed for every request.

    It says nothing of the time, which is judged each time, nor whether the key still counts: who asks compares that.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._found: OrderedDict[bytes, Known] = OrderedDict()

    def get(self, token: str) -> Known | None:
        """What is known of this very token."""
        return self._found.get(_digest(token))

    def put(self, token: str, known: Known) -> None:
        """Remember it; the one that was put first is forgotten."""
        self._found[_digest(token)] = known
        if len(self._found) > self._most:
            self._found.popitem(last=False)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
