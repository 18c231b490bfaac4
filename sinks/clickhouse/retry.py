"""What to do after an error of ClickHouse: pure, from its code (ErrorCodes.cpp) or the client's class."""

from __future__ import annotations

import re

from aiohttp import ClientError
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, ProgrammingError

from sinks.base import Refused, Retry, SinkError, Stop

ERRORS = (ClickHouseError, ClientError, OSError, TimeoutError)
"""What the client raises when the server or the way to it is at fault; it lets some of aiohttp's through."""
UNFIT = (OverflowError, ValueError)
"""What it raises for a value that a column's type cannot take, besides DataError."""
_CODE = re.compile(r"(?:Code: |error code )(\d+)")
_REFUSED = {6, 26, 27, 38, 41, 69, 70, 72, 117, 321, 349, 441}
"""Values that cannot be parsed, are out of range or too large, null where none may be: these rows, always."""
_STOP = {16, 36, 47, 60, 62, 81, 192, 193, 194, 497, 516}
"""Unknown columns, tables, databases, users; wrong passwords, missing rights, bad statements."""
_MIGRATE = {16, 60}


def judge(why: Exception, where: str) -> SinkError:
    """The sink's error for one of clickhouse-connect's or of the network; `where` names the database."""
    text = " ".join(str(why).split())[:500] or type(why).__name__
    code = int(found[1]) if (found := _CODE.search(text)) else None
    if code in _STOP:
        return Stop(f"{where}: {text}{': run daybook migrate' if code in _MIGRATE else ''}")
    if code in _REFUSED or (code is None and isinstance(why, (DataError, *UNFIT))):
        return Refused(f"{where}: {text}")
    if code is None and isinstance(why, ProgrammingError):
        return Stop(f"{where}: {text}")
    return Retry(f"{where}: {text}")
