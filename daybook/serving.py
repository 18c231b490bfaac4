"""The HTTP service as this installation runs it: the role `api`, its address, and tokens for it."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daybook import workers
from daybook.errors import Misuse, Problem
from daybook.scrub import scrub
from daybook.settings import Settings
from stack.errors import StackError

if TYPE_CHECKING:
    from api.config import Explain
    from api.keys import Keys
    from api.spool import Spool
    from api.tokens import Role

SHUTDOWN_S = 10
"""How long requests under way may take to end when the service is told to."""


def address(settings: Settings) -> str | None:
    """Where the service of this folder answers; None where none runs."""
    told = workers.metrics_of(settings.data, "api")
    return None if told is None else told.removesuffix("/metrics")


def token(settings: Settings, subject: str, role: Role, lifetime_s: float) -> str:
    """A bearer token signed with this installation's secret. Raises Problem where an issuer makes the tokens."""
    from api.tokens import Who, issue

    if settings.api_jwks is not None:
        raise Problem("tokens come from the issuer whose keys DAYBOOK_API_JWKS names")
    if not subject or "\0" in subject:
        raise Misuse("--subject: a subject has at least one character")
    who = Who(subject, role)
    lifetime = max(1, round(lifetime_s))
    return issue(who, _secret(settings), now_s=int(time.time()), lifetime_s=lifetime, audience=settings.api_audience)


def _secret(settings: Settings) -> str:
    from stack.stack import Stack

    if settings.api_signing_key is not None:
        found = settings.api_signing_key.get_secret_value()
        if len(found.encode()) < 32:
            raise Problem("DAYBOOK_API_SIGNING_KEY has fewer than 32 bytes")
        return found
    try:
        return Stack(settings.data).secret("api")
    except StackError as why:
        raise Problem(f"no secret to sign tokens with: {why}; set DAYBOOK_API_SIGNING_KEY or DAYBOOK_API_JWKS") from why


def _keys(settings: Settings) -> Keys:
    from api.keys import Published, Secret, fetch_url, fetcher

    if settings.api_jwks is not None:
        return Published(fetcher(settings.api_jwks, fetch_url))
    return Secret(_secret(settings))


def _explain(settings: Settings) -> Explain:
    import msgspec

    from api.config import NotToBeHad
    from daybook.erasing import offered
    from daybook.explain import agrees
    from daybook.explaining import ask

    away = offered.away()

    def explain(user: str, day: str, metric: str | None) -> bytes:
        try:
            found = ask(settings, user, day, metric)
        except away as why:
            raise NotToBeHad(scrub(f"{type(why).__name__}: {why}")) from why
        return msgspec.json.encode({**msgspec.structs.asdict(found), "agrees": agrees(found)})

    return explain


def _spool(settings: Settings) -> Spool:
    from api.spool import Spool, SpoolInUse

    found = Spool(settings.data / "spool", settings.api_spool_bytes)
    try:
        found.open()
    except SpoolInUse as why:
        raise Problem(f"{why}: one HTTP service a data folder, or DAYBOOK_API_SPOOL_BYTES=0") from None
    except OSError as why:
        raise Problem(f"events cannot be kept in {settings.data / 'spool'}: {why.strerror}") from why
    return found


def run(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are answered first. `ready` gets the metrics' address."""
    import uvloop

    from api.config import Config, Limits
    from api.service import build
    from daybook import exporter, looking, suppressing
    from daybook.erasing import offered
    from daybook.heartbeat import Heartbeat
    from daybook.observe.tracing import tracing
    from streams.affinity.suggest import cold

    watched = exporter.WithoutTopics()
    config = Config(
        kafka=settings.address("kafka"),
        redis=settings.address("redis"),
        postgres=settings.address("postgres"),
        keys=_keys(settings),
        audience=settings.api_audience,
        issuer=settings.api_issuer,
        origins=tuple(origin for each in settings.api_origins.split(",") if (origin := each.strip())),
        behind_proxies=bool(settings.api_proxies),
        open_health=settings.api_open_health,
        explain=_explain(settings),
        cold=cold,
        look=lambda: looking.look(settings),
        spool=_spool(settings),
        erase=offered.erase(settings),
        erasure=offered.erasure(settings),
        export=offered.export(settings),
        erasure_key=suppressing.secret(settings),
        tracing=tracing(settings, "api"),
        limits=Limits(
            body_bytes=settings.api_body_bytes,
            events=settings.api_events,
            room_bytes=settings.api_room_bytes,
            user_requests=settings.api_user_requests,
            user_events=settings.api_user_events,
            service_requests=settings.api_service_requests,
            service_events=settings.api_service_events,
            stranger_requests=settings.api_stranger_requests,
        ),
    )
    leaving = asyncio.Event()
    app = build(config, watched.meters, exporter.scraper(settings, "api", watched), leaving)
    listener = _listen(settings)
    host = settings.api_address if ":" not in settings.api_address else f"[{settings.api_address}]"
    where = f"http://{host}:{listener.getsockname()[1]}"

    async def serve() -> None:
        import uvicorn

        class Server(uvicorn.Server):
            """What signals mean is decided below: uvicorn would raise them once more at the end."""

            @contextmanager
            def capture_signals(self) -> Generator[None, None, None]:
                yield

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                if self.started:
                    ready(f"{where}/metrics")

        # Lines of requests are the door's, with their numbers.
        told = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.api_proxies),
            forwarded_allow_ips=settings.api_proxies,
            lifespan="on",
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        server = Server(told)
        loop = asyncio.get_running_loop()
        heart = asyncio.create_task(Heartbeat("api", settings.stuck_after_s, lambda: 0.0).beat())

        def stop() -> None:
            leaving.set()
            server.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        try:
            await server.serve([listener])
        finally:
            heart.cancel()
        if not server.started:
            raise Problem("the HTTP service did not start; its log says why")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


def _listen(settings: Settings) -> socket.socket:
    from stack.stack import Stack

    try:
        port = settings.api_port or Stack(settings.data).port("api")
    except StackError:
        port = 0  # servers elsewhere, and nobody asked for a certain port
    family = socket.AF_INET6 if ":" in settings.api_address else socket.AF_INET
    try:
        return socket.create_server((settings.api_address, port), family=family, backlog=2_048)
    except OSError as why:
        where = f"{settings.api_address}:{port}"
        raise Problem(f"the HTTP service cannot listen on {where}: {why.strerror}; set DAYBOOK_API_PORT") from why
