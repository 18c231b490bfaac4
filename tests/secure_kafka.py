"""A Kafka as docker-compose.yml has it: deploy/kafka/server.properties, the certificates of deploy/certificates.sh, the
users and rules of `daybook acls`. Only ports and places differ."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daybook import access, allowing
from schemas.broker import Broker
from stack import kafka as embedded
from stack import ports
from stack.config import mark_of
from stack.process import Process, Spec, end_strays

ROOT = Path(__file__).parents[1]
PROPERTIES = ROOT / "deploy" / "kafka" / "server.properties"
CERTIFICATES = ROOT / "deploy" / "certificates.sh"
_HASTE = ("group.", "transaction.abort", "broker.", "offsets.topic.num", "transaction.state.log.num", "num.", "log.cl")
"""Of the embedded stack's settings: what is for a small machine and for tests, and nothing that is about access."""


def certificates(folder: Path) -> Path:
    """The folder, with what the script makes."""
    subprocess.run([CERTIFICATES, folder], check=True, capture_output=True, timeout=60)
    return folder


def properties(text: str) -> dict[str, str]:
    """The lines of a file of settings."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


class SecureKafka:
    """One broker in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificates = certificates(folder / "certificates")
        self.client, self.local, self.controller = (ports.choose() for _ in range(3))
        self.passwords = {role: secrets.token_hex(16) for role in access.services()}
        self._process = Process(folder, "kafka")

    def settings(self) -> dict[str, object]:
        """As the file says, in this folder and on these ports."""
        told = properties(PROPERTIES.read_text(encoding="utf-8"))
        moved = {
            "CLIENT://:9093": f"CLIENT://127.0.0.1:{self.client}",
            "CLIENT://kafka:9093": f"CLIENT://127.0.0.1:{self.client}",
            "127.0.0.1:9094": f"127.0.0.1:{self.local}",
            "127.0.0.1:9095": f"127.0.0.1:{self.controller}",
            "/run/secrets/kafka.pem": str(self.certificates / "kafka.pem"),
            "/var/lib/kafka/data": "log",
        }
        for name, value in told.items():
            for old, new in moved.items():
                value = value.replace(old, new)
            told[name] = value
        hasty = {name: value for name, value in embedded.SETTINGS.items() if name.startswith(_HASTE)}
        return {**hasty, **told}

    def start(self) -> None:
        """Start it, make its users and its rules."""
        runtime = embedded.prepare_once(lambda line: None)
        home = self.folder / "kafka"
        home.mkdir(exist_ok=True)
        embedded.write_settings(home / "server.properties", self.settings())
        embedded.format_log_folder(home / "log", runtime.checkpoint)
        mark = mark_of(self.folder, "kafka")
        jvm = (*runtime.fast(), *os.environ.get(embedded.JVM_VARIABLE, "").split())
        self._process.start(
            Spec(
                name="kafka",
                argv=runtime.command("kafka.Kafka", "server.properties", folder=home, mark=mark, jvm=jvm),
                cwd=home,
                ready=lambda: embedded.answers(self.local),
                ready_timeout_s=120.0,
            )
        )
        local = f"127.0.0.1:{self.local}"
        allowing.set_passwords(local, access.passwords(self.passwords), lambda line: None)
        allowing.allow(local, lambda line: None)

    def stop(self) -> None:
        """Stop it; nothing of it stays."""
        self._process.stop()
        end_strays([mark_of(self.folder, "kafka")])
        shutil.rmtree(self.folder / "kafka", ignore_errors=True)

    def as_role(self, role: str, password: str | None = None) -> Broker:
        """How a role connects."""
        return Broker(
            f"127.0.0.1:{self.client}",
            "sasl_ssl",
            user=access.USER + role,
            password=self.passwords[role] if password is None else password,
            ca=self.certificates / "ca.pem",
        )

    def env(self, role: str) -> dict[str, str]:
        """The same as settings."""
        return {
            "DAYBOOK_KAFKA": f"127.0.0.1:{self.client}",
            "DAYBOOK_KAFKA_SECURITY": "sasl_ssl",
            "DAYBOOK_KAFKA_USER": access.USER + role,
            "DAYBOOK_KAFKA_PASSWORD": self.passwords[role],
            "DAYBOOK_CA": str(self.certificates / "ca.pem"),
        }


@contextmanager
def running(folder: Path) -> Iterator[SecureKafka]:
    """One for a while."""
    found = SecureKafka(folder)
    try:
        found.start()
        yield found
    finally:
        found.stop()
