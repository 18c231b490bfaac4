"""What a request asks for, taken from its URL and headers: who asks, and how the statement is to run and to answer."""

import base64
import binascii
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stack.chserver.answer import choose_coding
from stack.chserver.errors import Code, ServerError
from stack.chserver.sessions import timeout_of

# Spoken with the HTTP front, not with the engine (ClickHouse: HTTPHandler.cpp, reserved_param_names).
_RESERVED = {
    "", "query", "compress", "decompress", "user", "password", "quota_key", "query_id", "stacktrace", "role",
    "buffer_size", "wait_end_of_query", "session_id", "session_timeout", "session_check", "close_session",
    "client_protocol_version", "database", "default_format",
}  # fmt: skip
# Settings of the real server's HTTP front: read here, and of no effect in the engine.
_FRONT = {
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression",
    "http_zlib_compression_level", "http_response_buffer_size", "http_wait_end_of_query", "add_http_cors_header",
    "http_write_exception_in_output_format", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
_EXTERNAL = ("_format", "_types", "_structure")


@dataclass(frozen=True, slots=True)
class Account:
    """A user: who owns all, or the analyst (analyst.py)."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request's wishes."""

    query: str
    database: str
    format: str
    query_id: str
    session_id: str | None
    session_timeout_s: float
    session_check: bool
    close_session: bool
    coding: str | None
    wait: bool
    buffer_bytes: int
    cancel_on_close: bool
    is_analyst: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


def query_id_of(url: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The name that the client gives its query, else a fresh one."""
    given = url.get("query_id") or headers.get("X-ClickHouse-Query-Id") or str(uuid.uuid4())
    return "".join(sign for sign in given if sign.isprintable())  # it goes back in a header


def understand(url: Mapping[str, str], headers: Mapping[str, str], query_id: str, has_files: bool = False) -> Asked:
    """Sort a request's parameters; raises ServerError for what ClickHouse would refuse, or this server cannot do."""
    for name in ("compress", "decompress"):
        if _flag(url, name):
            raise ServerError(Code.NOT_IMPLEMENTED, f"{name}=1 is not supported here: use the HTTP content codings")
    format = headers.get("X-ClickHouse-Format") or url.get("default_format") or "TabSeparated"
    if not format.isidentifier():
        raise ServerError(Code.UNKNOWN_FORMAT, f"Unknown format {format}")
    others = {k: v for k, v in url.items() if k not in _RESERVED and not (has_files and k.endswith(_EXTERNAL))}
    compressed = _flag(url, "enable_http_compression")
    return Asked(
        query=url.get("query", ""),
        database=headers.get("X-ClickHouse-Database") or url.get("database", ""),
        format=format,
        query_id=query_id,
        session_id=url.get("session_id"),
        session_timeout_s=timeout_of(url.get("session_timeout")),
        session_check=_flag(url, "session_check"),
        close_session=_flag(url, "close_session"),
        coding=choose_coding(headers.get("Accept-Encoding", "")) if compressed else None,
        wait=_flag(url, "wait_end_of_query") or _flag(url, "http_wait_end_of_query"),
        buffer_bytes=max(_number(url, "buffer_size"), _number(url, "http_response_buffer_size"), 1 << 20),
        cancel_on_close=_flag(url, "cancel_http_readonly_queries_on_client_close"),
        settings={k: v for k, v in others.items() if k not in _FRONT and not k.startswith("param_")},
        params={k[6:]: v for k, v in others.items() if k.startswith("param_")},
    )


def authenticate(accounts: Sequence[Account], url: Mapping[str, str], headers: Mapping[str, str]) -> Account:
    """Who asks. Raises ServerError with ClickHouse's codes for whoever is none of the users.

    Credentials come by the X-ClickHouse headers, by Basic authorization or by URL parameters, in this order; two ways
    at once are refused, as there.
    """
    named = headers.get("X-ClickHouse-User", ""), headers.get("X-ClickHouse-Key", "")
    basic = headers.get("Authorization", "")
    if sum((any(named), bool(basic), "user" in url or "password" in url)) > 1:
        message = "Invalid authentication: it is not allowed to use two ways of authentication simultaneously"
        raise ServerError(Code.AUTHENTICATION_FAILED, message)
    if any(named):
        given = named
    elif basic:
        given = _basic(basic)
    else:
        given = url.get("user", "default"), url.get("password", "")
    found = None
    for account in accounts:
        right = hmac.compare_digest(given[0].encode(), account.user.encode())
        if hmac.compare_digest(given[1].encode(), account.password.encode()) and right:
            found = account
    if found is not None:
        return found
    if not (any(named) or basic or "user" in url):
        raise ServerError(Code.REQUIRED_PASSWORD, f"{given[0]}: Authentication failed: password is required")
    message = f"{given[0]}: Authentication failed: password is incorrect, or there is no user with such name"
    raise ServerError(Code.AUTHENTICATION_FAILED, message)


def _basic(header: str) -> tuple[str, str]:
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        message = f"Invalid authentication: '{scheme}' HTTP Authorization scheme is not supported"
        raise ServerError(Code.AUTHENTICATION_FAILED, message)
    try:
        user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise ServerError(Code.AUTHENTICATION_FAILED, "Invalid authentication: no Basic credentials") from None
    return user, password


def _flag(url: Mapping[str, str], name: str) -> bool:
    value = url.get(name, "0").lower()
    if value in ("1", "true"):
        return True
    if value in ("0", "false", ""):
        return False
    raise ServerError(Code.BAD_ARGUMENTS, f"Cannot parse boolean parameter {name}: '{value}'")


def _number(url: Mapping[str, str], name: str) -> int:
    value = url.get(name, "0")
    if not value.isascii() or not value.isdigit():
        raise ServerError(Code.BAD_ARGUMENTS, f"Cannot parse number parameter {name}: '{value}'")
    return int(value)
