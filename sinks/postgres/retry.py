"""What to do after an error of PostgreSQL: pure, from its SQLSTATE (appendix A of its manual)."""

from __future__ import annotations

import psycopg

from sinks.base import Refused, Retry, SinkError, Stop

_REFUSED = ("22", "23", "54")
"""Data exceptions, constraints, limits such as the size of an index entry: these rows, whenever they come."""
_RETRY = ("08", "25", "40", "53", "55", "57", "58", "XX")
"""Connections, read-only standbys, serialisation, resources, locks, operators and shutdowns, disks, internal errors."""
NO_MONTH = "no partition of relation"
_HOPELESS = ("password authentication failed", "no pg_hba.conf entry", "does not exist", "no password supplied")


def judge(why: Exception, where: str) -> SinkError:
    """The sink's error for one of psycopg's, or of what lies below it; `where` names the database."""
    text = " ".join(str(why).split()) or type(why).__name__
    if isinstance(why, OverflowError):  # a number that a column cannot take
        return Refused(f"{where}: {text}")
    if not isinstance(why, psycopg.Error):
        return Retry(f"{where}: {text}")
    state = why.sqlstate or ""
    if state == "23514" and NO_MONTH in text:
        return Retry(f"{where}: {text}")  # somebody dropped the month meanwhile: it is made again
    if state.startswith(_REFUSED) or (not state and isinstance(why, psycopg.DataError)):
        return Refused(f"{where}: {text}")
    if state in ("42P01", "42703", "42883"):  # no such table, column, function
        return Stop(f"{where}: {text}: run daybook migrate")
    if state.startswith(_RETRY):
        return Retry(f"{where}: {text}")
    if not state and isinstance(why, psycopg.OperationalError | psycopg.InterfaceError):
        return Stop(f"{where}: {text}") if any(t in text for t in _HOPELESS) else Retry(f"{where}: {text}")
    return Stop(f"{where}: {text}")
