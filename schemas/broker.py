"""How Kafka is reached: an address that also knows how to log in there, and what each client library calls that.

A `Broker` is a plain string wherever an address is wanted, so whoever says where Kafka is in a line says no password.
Who loses it on the way (by cutting the text) talks without TLS and without a name, and a closed Kafka refuses that.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal

Security = Literal["plaintext", "ssl", "sasl_ssl"]
"""SASL without TLS is not offered: it would show everybody what is sent, and who sends it."""
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256"]


class Broker(str):
    """host:port[,host:port]; as text only that."""

    security: Security
    user: str
    password: str
    mechanism: Mechanism
    ca: Path | None
    heard: str
    """The last thing that librdkafka said of TLS or of the login: its calls only say that nobody answers."""

    def __new__(
        cls,
        address: str,
        security: Security = "plaintext",
        *,
        user: str = "",
        password: str = "",
        mechanism: Mechanism = "SCRAM-SHA-512",
        ca: Path | None = None,
    ) -> Broker:
        """`ca`: a file of certificates (PEM) that the broker's must come from; the system's where none is given."""
        self = super().__new__(cls, address)
        self.security, self.user, self.password, self.mechanism, self.ca = security, user, password, mechanism, ca
        self.heard = ""
        return self

    def told(self, error: Any) -> None:
        """What librdkafka calls with its errors."""
        if error.name() in ("_AUTHENTICATION", "_SSL", "SASL_AUTHENTICATION_FAILED"):
            self.heard = error.str()


def librdkafka(kafka: str) -> dict[str, Any]:
    """The settings with which confluent-kafka connects; what the caller adds goes before these."""
    found: dict[str, Any] = {"bootstrap.servers": str(kafka)}
    if not isinstance(kafka, Broker) or kafka.security == "plaintext":
        return found
    found |= {"security.protocol": kafka.security, "error_cb": kafka.told}
    if kafka.ca is not None:
        found["ssl.ca.location"] = str(kafka.ca)
    if kafka.security == "sasl_ssl":
        found |= {"sasl.mechanism": kafka.mechanism, "sasl.username": kafka.user, "sasl.password": kafka.password}
    return found


def aiokafka(kafka: str) -> dict[str, Any]:
    """The same for aiokafka. Raises OSError where the file of certificates cannot be read."""
    return {"bootstrap_servers": str(kafka), **login(kafka)}


def login(kafka: str) -> dict[str, Any]:
    """What aiokafka wants beside the address, which Faust gives it in its own way."""
    if not isinstance(kafka, Broker) or kafka.security == "plaintext":
        return {}
    found: dict[str, Any] = {"security_protocol": kafka.security.upper(), "ssl_context": _context(kafka)}
    if kafka.security == "sasl_ssl":
        found |= {
            "sasl_mechanism": kafka.mechanism,
            "sasl_plain_username": kafka.user,
            "sasl_plain_password": kafka.password,
        }
    return found


def why(kafka: str, error: str) -> str:
    """An error of librdkafka, or what it heard of the login, which says more."""
    return getattr(kafka, "heard", "") or error


def _context(kafka: Broker) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if kafka.ca is None else str(kafka.ca))
