"""What may not be connected to: servers with a password that anybody would try, and servers elsewhere without TLS.

The servers of `daybook up` pass: their passwords are drawn, and they listen on this machine alone. Pure.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from schemas.broker import Security

COMMON = frozenset(
    (
        *("123456", "12345678", "admin", "changeme", "changeit", "clickhouse", "daybook", "default", "guest", "kafka"),
        *("pass", "password", "postgres", "qwerty", "redis", "root", "secret", "test", "valkey"),
    )
)
"""What stands in examples, and is tried first."""
_VERIFIED = ("verify-ca", "verify-full")
_ELSEWISE = ("passfile", "service", "sslcert")
"""What PostgreSQL's address says instead of a password."""


def is_here(host: str) -> bool:
    """Whether a host is this very machine.

    >>> is_here("127.0.0.1"), is_here("localhost"), is_here("kafka"), is_here("10.0.0.1")
    (True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in ("localhost", "")


def objection_to_kafka(address: str, security: Security, user: str, password: str) -> str | None:
    """Why nobody should talk to Kafka so; None where all is well."""
    if security == "sasl_ssl":
        return _weak(user, password)
    hosts = [each.strip().rpartition(":")[0] for each in address.split(",")]
    if security == "plaintext" and not all(map(is_here, hosts)):
        return "it is elsewhere and spoken to without TLS: DAYBOOK_KAFKA_SECURITY=sasl_ssl"
    return None


def objection_to(server: str, url: str) -> str | None:
    """The same for the address of a store."""
    parts = urlsplit(url)
    said = dict(parse_qsl(parts.query))
    host = parts.hostname or said.get("host", "")
    if host.startswith("/"):  # a socket of this machine, whose server knows who asks
        return None
    if not any(name in said for name in _ELSEWISE):
        objection = _weak(unquote(parts.username or ""), unquote(parts.password or said.get("password", "")))
        if objection is not None:
            return objection
    return None if is_here(host) else _open(server, parts.scheme, said)


def _open(server: str, scheme: str, said: dict[str, str]) -> str | None:
    if server == "postgres" and said.get("sslmode") not in _VERIFIED:
        return "it is elsewhere and spoken to without verified TLS: add ?sslmode=verify-full"
    if server == "clickhouse" and scheme == "http":
        return "it is elsewhere and spoken to without TLS: https:// and its port"
    if server == "redis" and scheme == "redis":
        return "it is elsewhere and spoken to without TLS: rediss:// and its port"
    return None


def _weak(user: str, password: str) -> str | None:
    if not password:
        return "it has no password"
    if password.lower() in COMMON or password == user:
        return "its password is one that anybody tries first"
    return None


def with_ca(server: str, url: str, ca: str) -> str:
    """A store's address that also names the file of certificates, where TLS is asked for and no file named.

    >>> with_ca("redis", "rediss://:pw@redis:6379/0", "/run/ca.pem")
    'rediss://:pw@redis:6379/0?ssl_ca_certs=/run/ca.pem'
    >>> with_ca("redis", "redis://:pw@127.0.0.1:6379/0", "/run/ca.pem")
    'redis://:pw@127.0.0.1:6379/0'
    """
    parts = urlsplit(url)
    said = dict(parse_qsl(parts.query))
    name, asked = {
        "postgres": ("sslrootcert", said.get("sslmode") in _VERIFIED),
        "clickhouse": ("ca_cert", parts.scheme == "https"),
        "redis": ("ssl_ca_certs", parts.scheme == "rediss"),
    }[server]
    if not asked or name in said:
        return url
    return urlunsplit(parts._replace(query=urlencode({**said, name: ca}, safe="/", quote_via=quote)))
