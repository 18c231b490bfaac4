"""As whom PostgreSQL is asked. Three roles (migrations/0014_roles.sql), and every connection but the migration's takes
one of the lower two, whoever logs in: so the rights that a deployment gives are those that all tests run with.

owner    who migrates: makes and changes tables, and sees no row of a user: row-level security is forced on it too
writer   sinks, audit, erasure, the command line: all rows, no table
reader   the HTTP service: the rows of one user at a time, whom `app.user` names
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from schemas.tables import DAILY

WRITER, READER = "daybook_writer", "daybook_reader"
AS_USER = "SELECT set_config('app.user', %s, true)"
"""Until the transaction ends, a reader sees this user's rows; then nobody's."""
AS_USER_FOR_LONG = "SELECT set_config('app.user', %s, false)"


def acting_as(role: str, url: str) -> str:
    """What to connect with, so that the session has the rights of this role alone.

    >>> acting_as(READER, "postgresql://me:pw@db/daybook")
    "user=me password=pw dbname=daybook host=db options='-c role=daybook_reader'"
    """
    said = str(conninfo_to_dict(url).get("options") or "")
    return make_conninfo(url, options=f"{said} -c role={role}".strip())


def as_writer(url: str) -> str:
    """All rows, no table."""
    return acting_as(WRITER, url)


def see_all_rows(connection: psycopg.Connection[Any]) -> None:
    """Act as the writer, for who asks before the migration: once that role may read. Until then the owner sees all."""
    query = "SELECT FROM pg_roles WHERE rolname = %s AND has_table_privilege(oid, to_regclass(%s), 'SELECT')"
    if connection.execute(query, (WRITER, DAILY.postgres)).rowcount:
        connection.execute(f"SET ROLE {WRITER}".encode())


def as_reader(url: str) -> str:
    """The rows of whom `app.user` names."""
    return acting_as(READER, url)
