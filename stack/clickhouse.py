"""ClickHouse: chdb behind its own small HTTP server (stack/chserver), run as a process like the others."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import ports
from .chserver.analyst import USER as USER_ANALYST
from .config import DATABASE, USER, Config, mark_of
from .process import Spec

ANALYST = "clickhouse_analyst"
"""What its password is kept under."""


@dataclass(frozen=True, slots=True)
class ClickHouse:
    """The analytical server of one data folder."""

    folder: Path
    config: Config
    say: Callable[[str], None]

    name = "clickhouse"
    password_names = (name, ANALYST)
    port_names = ("clickhouse",)

    @property
    def home(self) -> Path:
        return self.folder / "clickhouse"

    def prepare(self) -> Spec:
        """Make the folder ready and say how to start the server."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        mark = mark_of(self.folder, self.name)
        options = {
            "--data": self.home,
            "--host": ports.HOST,
            "--port": self.config.port(self.name),
            "--user": USER,
            "--database": DATABASE,
        }
        return Spec(
            name=self.name,
            argv=[
                *(sys.executable, "-X", f"stack={mark}", "-m", "stack.chserver"),
                *(str(part) for option in options.items() for part in option),
            ],
            env={  # not for every user's ps to show
                "DAYBOOK_CHSERVER_PASSWORD": self.config.password(self.name),
                "DAYBOOK_CHSERVER_ANALYST_PASSWORD": self.config.password(ANALYST),
            },
            cwd=self.home,
            ready=self.healthy,
        )

    def finish(self) -> None:
        """Nothing is left to do once it is ready."""

    def healthy(self) -> bool:
        """Whether it takes our password and runs a query in the database."""
        login = base64.b64encode(f"{USER}:{self.config.password(self.name)}".encode()).decode()
        request = (
            f"GET /?database={DATABASE}&query=SELECT%201 HTTP/1.1\r\nHost: {ports.HOST}\r\n"
            f"Authorization: Basic {login}\r\nConnection: close\r\n\r\n"
        )
        reply = ports.ask(self.config.port(self.name), request.encode())
        return reply is not None and reply.split(b"\r\n", 1)[0].endswith(b" 200 OK")

    def analyst_url(self) -> str:
        """What an analyst connects to, who may only ask."""
        who = f"{USER_ANALYST}:{self.config.password(ANALYST)}"
        return f"http://{who}@{ports.HOST}:{self.config.port(self.name)}/{DATABASE}"

    def url(self) -> str:
        return f"http://{USER}:{self.config.password(self.name)}@{ports.HOST}:{self.config.port(self.name)}/{DATABASE}"
