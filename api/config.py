"""What the service is told when it starts. It reads no environment itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.keys import Keys
from api.spool import Spool
from schemas.affinity import Suggestion
from schemas.tracing import Tracing


class NotToBeHad(Exception):
    """What is asked for needs a server that does not answer."""


class Busy(Exception):
    """One at a time, and another is under way."""


Explain = Callable[[str, str, str | None], bytes]
"""User, day, metric or None → the explanation as JSON; it may block. Raises NotToBeHad."""
Cold = Callable[[Mapping[str, Sequence[str]], str | None, int], list[Suggestion]]
"""Region → the ids that trend there, a region, how many → what is shown to somebody of whom nothing is known."""
Erase = Callable[[str, Callable[[str], None]], None]
"""User, what is told of each step that is done → returns when nothing is left; it blocks for minutes. After the first
step nothing of the user is taken any more. Raises NotToBeHad, and Busy while another is erased."""
Erasure = Callable[[str], dict[str, Any] | None]
"""User → when their last erasure was begun, and its receipt once it is finished; None: there was none. It may block.
Raises NotToBeHad."""
Export = Callable[[str], Iterator[bytes]]
"""User → all that the stores and the archive hold, as JSON lines; each step may block. Raises NotToBeHad."""
Look = Callable[[], dict[str, Any]]
"""What operators see; it may block."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may bring, and all of them together."""

    body_bytes: int = 4 << 20
    """One body, both as it comes and unpacked."""
    events: int = 1_000
    """Events in one request."""
    depth: int = 32
    """Objects and lists within each other in one event."""
    room_bytes: int = 256 << 20
    """Bodies of all requests that are under way; beyond it a request is asked to come back."""
    body_s: float = 30.0
    """How long a body may take to arrive."""
    user_requests: int = 600
    user_events: int = 6_000
    service_requests: int = 0
    service_events: int = 0
    """Requests and events a minute of one token's subject; 0: as many as it likes."""
    stranger_requests: int = 300
    """Requests a minute of one address without a token that counts; 0: as many as it likes."""

    def pace(self, role: str, what: str) -> int:
        """The limit of a role's requests or events a minute; 0: none."""
        return 0 if role == "admin" else int(getattr(self, f"{role}_{what}"))


@dataclass(frozen=True, slots=True)
class Config:
    """Where things are and who may come in."""

    kafka: str
    """host:port[,host:port]"""
    redis: str
    """redis://[:password@]host:port[/number]"""
    postgres: str
    """postgresql://user:password@host:port/database"""
    keys: Keys
    """What tokens are signed with."""
    audience: str = "daybook"
    """Which `aud` a token must name."""
    issuer: str | None = None
    """Which `iss` it must name; None: any."""
    origins: tuple[str, ...] = ()
    """Web origins whose pages may ask (CORS)."""
    behind_proxies: bool = False
    """Whether proxies in front are named, so that a request's address is its client's."""
    open_health: bool = True
    """Whether /metrics, /readyz and /openapi.json need no token; else an admin's."""
    limits: Limits = Limits()
    explain: Explain | None = None
    """Says what a number is made of; None: not here."""
    cold: Cold | None = None
    """Recommends where nothing is known; None: nothing is recommended then."""
    look: Look | None = None
    """Says how all servers and workers are; None: not here."""
    spool: Spool | None = None
    """Keeps events on the disk while Kafka is down; opened. None: they are not taken then."""
    erase: Erase | None = None
    """Erases a person; None: not here."""
    erasure: Erasure | None = None
    """Says how far it is."""
    export: Export | None = None
    """Says all that is known of a person; None: not here."""
    erasure_key: str | None = None
    """What names of erased subjects are hashed with."""
    tracing: Tracing | None = None
    """Makes traces; None: there are none."""
    answer_s: float = 5.0
    """How long Kafka may take to acknowledge."""
