"""`repair`: a store that was restored from a backup, or spoiled, holds again what it should.

rewind   its sink reads its topics again, from their beginning or a time on (rewind.py): the newest rows win
erased   whoever was erased and came back with the backup leaves again: nobody needs to know the names
compare  everything is verified; what differs still is said again by its owner (audit.py), and looked at again
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from daybook import sinking, suppressing, verify_erased, waiting
from daybook.audit import Auditor
from daybook.connected import Connected
from daybook.erasing.stores import Stores
from daybook.exporter import WithoutTopics
from daybook.rewind import rewind
from daybook.settings import Settings
from daybook.telling import Teller
from daybook.verify import Report, verify
from schemas.suppression import named_by

Say = Callable[[str], None]


def read_again(settings: Settings, store: str, since_ms: int | None, say: Say) -> None:
    """Set the store's sink back. Raises Problem if its workers run."""
    again = rewind(settings.address("kafka"), sinking.groups()[store], since_ms)
    say(f"{store}: {again:,} records of its topics are read again")


def wait(settings: Settings, timeout_s: float, on_look: Callable[[Sequence[waiting.Lag]], None]) -> None:
    """Until every sink has stored all that there is. Raises Problem with what lags where."""
    waiting.until_visible(settings.address("kafka"), list(sinking.groups().values()), timeout_s, on_look)


def repair(settings: Settings, say: Say) -> Report:
    """Compare everything, and have said again what differs; the report of the last look."""
    if gone := _drop_erased(settings):
        say(f"{gone:,} people who had been erased were in a store, and left it again")
    report = verify(settings)
    if not report.mismatches:
        return report
    say(f"{len(report.mismatches):,} differences: their owners are asked to say them again")
    at_once = settings.model_copy(update={"audit_pause_s": 0.0, "audit_users": 2_000})
    Auditor(at_once, Teller(settings.address("kafka")), WithoutTopics().meters, threading.Event()).sweep()
    return verify(settings)


def _drop_erased(settings: Settings) -> int:
    erased = suppressing.known(settings)
    if not erased:
        return 0
    found = {user for _, user in verify_erased.everybody(settings) if erased.has(user)}
    with _Refused(settings) as refused:
        found |= {user for user in refused.whose() if erased.has(user)}
    for user in found:
        with Stores(settings, user.decode()) as stores:
            stores.delete()
    return len(found)


class _Refused(Connected):
    """Refused events: bytes that nobody else reads may name somebody who was erased."""

    def whose(self) -> Iterator[bytes]:
        formats: dict[str, Any] = {"key": "bytes", "raw": "bytes"}
        query = "SELECT key, raw FROM rejected"
        with self._postgres.transaction(), self._postgres.cursor("refused") as cursor:
            for key, raw in cursor.execute(query):
                yield from named_by(key, raw)
        with self._clickhouse.query_row_block_stream(query, column_formats=formats) as blocks:
            for block in blocks:
                for key, raw in block:
                    yield from named_by(key, raw)
