"""What tokens are signed with: the installation's own secret, or an issuer's published keys. Never both, so that nobody
can pass a public key off as a secret (RFC 8725 §2.1)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import jwt

from api.tokens import Untrusted

log = logging.getLogger(__name__)

ASYMMETRIC = ("RS256", "EdDSA")
REFRESH_S = 3_600.0
"""Published keys are read again so often."""
UNKNOWN_S = 30.0
"""A key id that nobody knows makes them be read again, but not more often than this."""
MAX_JWKS = 262_144

Fetch = Callable[[], Awaitable[bytes]]


class Keys(Protocol):
    """Where the key for a token comes from."""

    async def find(self, algorithm: str, kid: str | None) -> tuple[Any, str]:
        """The key, and the one algorithm that it is for. Raises Untrusted where there is none."""


class Secret:
    """One secret, HS256: who can check tokens can make them."""

    def __init__(self, secret: str) -> None:
        if len(secret.encode()) < 32:
            raise ValueError("a secret for tokens needs at least 32 bytes (RFC 7518 §3.2)")
        self._secret = secret

    async def find(self, algorithm: str, kid: str | None) -> tuple[Any, str]:
        """The secret."""
        if algorithm != "HS256":
            raise Untrusted("tokens are signed with HS256 here")
        return self._secret, "HS256"


class Published:
    """An issuer's JWKS (RFC 7517), read again every hour, and when a token names a key that is new.

    What was read once stays in use while the issuer does not answer.
    """

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._tried: float | None = None
        self._turn = asyncio.Lock()

    async def find(self, algorithm: str, kid: str | None) -> tuple[Any, str]:
        """The key of this id, if it is for this algorithm."""
        if algorithm not in ASYMMETRIC:
            raise Untrusted(f"tokens are signed with {' or '.join(ASYMMETRIC)} here")
        if self._is_due(known=kid in self._keys):
            async with self._turn:
                if self._is_due(known=kid in self._keys):
                    await self._read()
        key = self._keys.get(kid)
        if key is None or key.algorithm_name != algorithm:
            raise Untrusted("the token's key is not known")
        return key.key, algorithm

    def _is_due(self, *, known: bool) -> bool:
        return self._tried is None or self._clock() - self._tried > (REFRESH_S if known else UNKNOWN_S)

    async def _read(self) -> None:
        self._tried = self._clock()
        try:
            found = parse(await self._fetch())
        except Exception as why:  # whatever a foreign server and its answer may do: the keys read before stay
            log.warning("the issuer's keys cannot be read: %s: %s", type(why).__name__, why)
            return
        self._keys = found


def parse(jwks: bytes) -> dict[str | None, jwt.PyJWK]:
    """The keys of a JWKS that sign tokens, by id; one without an id is used for tokens that name none."""
    found: dict[str | None, jwt.PyJWK] = {}
    for key in jwt.PyJWKSet.from_json(jwks.decode()).keys:
        if key.algorithm_name in ASYMMETRIC and key.public_key_use in (None, "sig"):
            found[key.key_id] = key
    return found


def fetcher(address: str, fetch_url: Callable[[str], Awaitable[bytes]]) -> Fetch:
    """How a JWKS is read: an https or http address, or the name of a file."""
    if address.startswith(("https://", "http://")):
        return lambda: fetch_url(address)

    async def from_file() -> bytes:
        return await asyncio.to_thread(Path(address).read_bytes)

    return from_file


async def fetch_url(address: str) -> bytes:
    """What a JWKS address answers, within 5 s. Raises ValueError where it is too much to be one."""
    import aiohttp

    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
        session.get(address, allow_redirects=False, headers=_ACCEPT) as answer,
    ):
        answer.raise_for_status()
        found = await answer.content.read(MAX_JWKS + 1)
    if len(found) > MAX_JWKS:
        raise ValueError(f"a JWKS has at most {MAX_JWKS} bytes")
    return found


_ACCEPT: Mapping[str, str] = {"Accept": "application/jwk-set+json, application/json"}
