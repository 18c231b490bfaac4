"""One erasure, step by step. Each step may be done again; what was there before the first try is written down first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from daybook import sinking, suppressing, waiting
from daybook.erasing import receipt
from daybook.erasing.kafka import Found, Log
from daybook.erasing.receipt import Counts, Receipt
from daybook.erasing.stores import Stores
from daybook.errors import Misuse, Problem
from daybook.keep.forget import forget
from daybook.settings import Settings
from schemas.suppression import Erased
from sinks.postgres.connect import as_writer

Say = Callable[[str], None]

_LOCK = 0x6461_7962_6F6F_6B45
"""PostgreSQL's advisory lock of erasures: one at a time, because ClickHouse is told whom by a table."""
_LOOKS = 3
MOST = 200
"""Characters of a subject."""
_WAIT_S = 600.0
_CONNECT_S = 5


class UnderWay(Problem):
    """One erasure at a time."""


def erase(settings: Settings, user: str, say: Say, timeout_s: float = _WAIT_S) -> Receipt:
    """Erase a person; returns the receipt once nothing is left that can be deleted.

    Raises Problem if a server does not answer or the workers do not catch up: nothing of the person comes in any more
    then, and calling it again goes on. Raises Misuse for what is no subject, or without a key.
    """
    if not user or "\0" in user or len(user) > MOST:
        raise Misuse(f"a subject has 1 to {MOST} characters")
    if settings.clickhouse_cluster is not None:
        raise Misuse("nobody can be erased on a ClickHouse cluster yet (DAYBOOK_CLICKHOUSE_CLUSTER): nothing was done")
    secret = suppressing.secret(settings)
    if secret is None:
        raise Misuse("there is no key to hash names with: set DAYBOOK_ERASURE_KEY, the same for all workers")
    kafka = settings.address("kafka")
    erased = suppressing.known(settings)
    log = Log(kafka, user)
    began = datetime.now(UTC)
    subject = erased.hash_of(user.encode()).hex()
    with Stores(settings, user) as stores, _alone(stores.postgres):
        found = _begin(stores, log, subject, began)
        # 1. From here on nothing of the person comes in, and the streams drop what they have.
        log.suppress(*erased.record(user.encode(), time.time_ns() // 1_000_000))
        say("suppressed: nothing of the person is taken any more")
        _passed(kafka, timeout_s, say)
        # 2. Days that no stream has in memory any more; the progress stream drops them as it reads the tombstones.
        left = log.look()
        for _ in range(_LOOKS):
            if left.days:
                log.bury(left.days)
            _passed(kafka, timeout_s, say)
            left = log.look()
            if not any(left.live.values()):
                break
        if still := sorted(name for name, count in left.live.items() if count):
            raise Problem(f"Kafka's topic {still[0]} still holds something of the person: call this again")
        say("the streams have dropped the person")
        # 3. All sinks have passed what was said of the person: nothing writes there any more.
        stores.delete()
        say("PostgreSQL, ClickHouse and Redis have deleted the person")
        # 4. What left them by age (daybook/keep), where there is an archive.
        archived = {f"archive/{kind}": Counts(rows, 0) for kind, rows in forget(settings, user).items()}
        after = _counts(stores, left)
        said = Receipt(
            subject,
            erased.kid,
            str(found["begun_at"]),
            _moment(datetime.now(UTC)),
            archived
            | {name: Counts(found["found"].get(name, 0), after.get(name, 0)) for name in {*found["found"], *after}},
            log.until(datetime.now(UTC)),
        )
        if not said.is_clean:
            rest = sorted(name for name, count in said.stores.items() if count.after)
            raise Problem(f"{rest[0]} holds something of the person again: call this again")
        said = receipt.signed(said, erased)
        _finish(stores.postgres, said)
    return said


def told(settings: Settings, user: str) -> dict[str, Any] | None:
    """When the last erasure of a person was begun and, once it is finished, its receipt; None: there was none.

    Raises Problem without a key, and what psycopg does where PostgreSQL does not answer.
    """
    secret = suppressing.secret(settings)
    if secret is None:
        raise Problem("there is no key to hash names with: set DAYBOOK_ERASURE_KEY, the same for all workers")
    query = "SELECT begun_at, receipt FROM erasures WHERE subject = %s ORDER BY begun_at DESC LIMIT 1"
    with psycopg.connect(as_writer(settings.address("postgres")), connect_timeout=_CONNECT_S) as postgres:
        row = postgres.execute(query, (Erased(secret).hash_of(user.encode()).hex(),)).fetchone()
    if row is None:
        return None
    return {"begun_at": _moment(row[0])} | ({} if row[1] is None else {"receipt": row[1]})


def _passed(kafka: str, timeout_s: float, say: Say) -> None:
    """All streams and sinks have gone past what their topics held at the call."""
    waiting.until_visible(kafka, list(sinking.groups().values()), timeout_s)


def _counts(stores: Stores, found: Found) -> dict[str, int]:
    return {**{f"kafka/{topic}": count for topic, count in found.live.items()}, **stores.counts()}


def _begin(stores: Stores, log: Log, subject: str, at: datetime) -> dict[str, Any]:
    """What there was before the first try of an erasure that is not finished; written down now if this is the first."""
    known = stores.postgres.execute(
        "SELECT begun_at, found FROM erasures WHERE subject = %s AND finished_at IS NULL", (subject,)
    ).fetchone()
    if known is not None:
        return {"begun_at": _moment(known[0]), "found": known[1]}
    found = _counts(stores, log.look())
    stores.postgres.execute(
        "INSERT INTO erasures (subject, begun_at, found) VALUES (%s, %s, %s)", (subject, at, Jsonb(found))
    )
    return {"begun_at": _moment(at), "found": found}


def _finish(postgres: psycopg.Connection[Any], said: Receipt) -> None:
    postgres.execute(
        "UPDATE erasures SET finished_at = %s, receipt = %s WHERE subject = %s AND finished_at IS NULL",
        (said.finished_at, Jsonb(msgspec.json.decode(receipt.encode(said))), said.subject),
    )


@contextmanager
def _alone(postgres: psycopg.Connection[Any]) -> Iterator[None]:
    row = postgres.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    if row is None or not row[0]:
        raise UnderWay("another erasure is under way: call this again when it is done")
    try:
        yield
    finally:
        if not postgres.closed:
            postgres.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
