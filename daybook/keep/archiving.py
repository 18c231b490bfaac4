"""From ClickHouse into the archive: written, read back into a table beside, compared; only then may rows be dropped.

The table beside (`archive_check`) stays until the next: what is dropped are the rows that were read back, so what came
in meanwhile stays and is archived next time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from msgspec import structs

from daybook.errors import Problem
from daybook.keep import raw
from daybook.keep.archive import Archive, Manifest, chunks
from daybook.keep.policy import month_of

CHECK = "archive_check"
_TRIES = 3
INSERT = {"max_partitions_per_insert_block": 0, "input_format_skip_unknown_fields": 1}
"""Rows of many months at once; a file may be older than the table."""


_OF = {"events": "subject", "daily": "user_id", "rejected": "key"}
"""Table → the column that names the user."""


class Content(NamedTuple):
    """What some rows come to: equal for equal rows in any order."""

    rows: int
    hash: str


def archive_day(client: Any, archive: Archive, each: raw.DueDay) -> Manifest:
    """Archive what is due of one day, unless it is there already, and verify it. Raises Problem if that fails."""
    dataset = each.dataset
    source = f"{dataset.table} FINAL WHERE {raw.condition(dataset, each.day)}"
    return _archived(client, archive, dataset.name, dataset.table, each.day, source)


def archive_days(client: Any, archive: Archive, today: date) -> Manifest:
    """The same for the daily rows that `days_leaving` names."""
    source = "daily FINAL WHERE (user_id, date, version) IN (SELECT user_id, date, version FROM days_leaving)"
    return _archived(client, archive, "daily", "daily", today, source)


def drop_day(client: Any, each: raw.DueDay) -> None:
    """Drop what was read back of this day."""
    dataset = each.dataset
    where = f"{raw.condition(dataset, each.day)} AND ({dataset.keys}) IN (SELECT {dataset.keys} FROM {CHECK})"
    raw.delete(client, dataset.table, month_of(each.day), where)


def load(client: Any, archive: Archive, manifest: Manifest) -> None:
    """Read a file back into the table beside. Raises Problem if the file, or what it holds, is not the manifest's."""
    if (trouble := archive.trouble(manifest)) is not None:
        raise Problem(trouble)
    if _read_back(client, manifest.table, archive.path(manifest)) != (manifest.rows, manifest.content):
        raise Problem(f"{archive.path(manifest)} does not hold what its manifest says")


def without(client: Any, archive: Archive, users: Sequence[str]) -> dict[str, int]:
    """Write every file that holds something of these users anew, without it; returns file → rows that are in none now.

    The new file is listed before the old one is removed. Cut short, calling it again ends it. Of refused events those
    go whose Kafka key is a user. Nobody may write into the archive meanwhile (`once.alone`).
    """
    archive.clear()
    removed: dict[str, int] = {}
    for old in archive.list():
        if old.table not in _OF:
            continue
        load(client, archive, old)
        others = f"{CHECK} WHERE NOT coalesce({_OF[old.table]} IN ({', '.join(map(_quoted, users))}), 0)"
        content = _content(client, old.table, others)
        if content.rows == old.rows:
            continue
        if content.rows:
            new = _there(archive, old, content) or _written(client, archive, old, others, content)
            update = f"ALTER TABLE days_dropped UPDATE archive = '{new}' WHERE archive = '{old.name}'"
            client.command(f"{update} SETTINGS mutations_sync = 2")
        archive.remove(old)
        removed[old.name] = old.rows - content.rows
    forget(client)
    return removed


def of(client: Any, archive: Archive, user: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of a file and row of all that is this user's. Nobody may write into the archive meanwhile (`once.alone`)."""
    for manifest in archive.list():
        if manifest.table not in _OF:
            continue
        load(client, archive, manifest)
        query = f"SELECT * FROM {CHECK} WHERE {_OF[manifest.table]} = {{user:String}}"
        for row in client.query(query, parameters={"user": user}).named_results():
            yield manifest.name, dict(row)
    forget(client)


def forget(client: Any) -> None:
    """Drop the table beside."""
    client.command(f"DROP TABLE IF EXISTS {CHECK} SYNC")


def _archived(client: Any, archive: Archive, dataset: str, table: str, day: date, source: str) -> Manifest:
    for _ in range(_TRIES):
        content = _content(client, table, source)
        for known in archive.list():  # a pass that was cut short before it dropped the rows
            if (known.dataset, known.day, known.rows, known.content) == (dataset, day.isoformat(), *content):
                load(client, archive, known)
                return known
        name = archive.next_name(dataset, day.isoformat())
        columns = _columns(client, table)
        stream = client.raw_stream(f"SELECT {', '.join(columns)} FROM {source}", fmt="Parquet")
        try:
            part, size, digest = archive.part(dataset, name, chunks(stream.read))
        finally:
            stream.close()
        if _read_back(client, table, part) != content:
            part.unlink()
            continue  # rows came in meanwhile
        at = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(name, dataset, table, day.isoformat(), *content, columns, size, digest, at)
        archive.publish(part, manifest)
        return manifest
    raise Problem(f"{dataset} of {day} cannot be archived: what was read back is not what stands in ClickHouse")


def _there(archive: Archive, old: Manifest, content: Content) -> str | None:
    """The name of a file that was written for the same before."""
    same = (old.dataset, old.day, *content)
    return next((m.name for m in archive.list() if (m.dataset, m.day, m.rows, m.content) == same), None)


def _written(client: Any, archive: Archive, old: Manifest, source: str, content: Content) -> str:
    name = archive.next_name(old.dataset, old.day)
    stream = client.raw_stream(f"SELECT {', '.join(_columns(client, old.table))} FROM {source}", fmt="Parquet")
    try:
        part, size, digest = archive.part(old.dataset, name, chunks(stream.read))
    finally:
        stream.close()
    if _read_back(client, old.table, part) != content:
        raise Problem(f"{archive.path(old)} cannot be written anew: what was read back is not what was written")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    rows, hashed = content
    new = structs.replace(old, name=name, rows=rows, content=hashed, bytes=size, sha256=digest, written_at=at)
    archive.publish(part, new)
    return name


def _quoted(text: str) -> str:
    """As a literal of ClickHouse.

    >>> _quoted("o'neil")
    "'o\\\\'neil'"
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _read_back(client: Any, table: str, path: Any) -> Content:
    forget(client)
    client.command(f"CREATE TABLE {CHECK} AS {table}")
    with path.open("rb") as file:
        client.raw_insert(CHECK, insert_block=file, fmt="Parquet", settings=INSERT)
    return _content(client, table, CHECK)


def _content(client: Any, table: str, source: str) -> Content:
    # RowBinary holds all that a row says; the hash of it, unlike one of the columns, is never null.
    columns = ", ".join(_columns(client, table))
    query = f"SELECT count(), toString(sum(cityHash64(formatRow('RowBinary', {columns})))) FROM {source}"
    return Content(*client.query(query).result_rows[0])


def _columns(client: Any, table: str) -> list[str]:
    """Those that * names: what ClickHouse makes by itself is left out."""
    described = client.query(f"DESCRIBE TABLE {table}").result_rows
    return [name for name, _, kind, *_ in described if kind in ("", "DEFAULT")]
