"""keep, archive list, archive check, restore, growth: what is kept, what is dropped, and where it went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daybook.options import Data
from daybook.say import console, out, say

if TYPE_CHECKING:
    from daybook.keep.archive import Archive

archive = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What left the stores, as Parquet files.")


def keep(
    data: Data = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is due.")] = False,
) -> None:
    """Drop what was kept as long as the settings say, and make the months to come; the role audit does so once a day.

    Prints a line for each kind of data: how many rows are due (--dry-run), or were dropped.
    """
    from daybook import settings
    from daybook.keep import once

    found = settings.read(data=data)
    if dry_run:
        for each in once.look(found):
            out(f"{each.what:<16} {each.rows:>14,}")
        return
    with console().status("looking for what is due") as line:
        for each in once.keep(found, say=line.update):
            out(f"{each.what:<16} {each.rows:>14,}")
    say("what was due was dropped" + ("" if found.keep else "; DAYBOOK_KEEP=1 has the role audit do it once a day"))


@archive.command("list")
def list_(data: Data = None) -> None:
    """List what is archived: name, kind, day, rows, bytes, when it was written."""
    found = _archive(data).list()
    say(f"{'NAME':<26} {'KIND':<9} {'DAY':<10} {'ROWS':>12} {'BYTES':>14} WRITTEN")
    for each in found:
        out(
            f"{each.name:<26} {each.dataset:<9} {each.day:<10} {each.rows:>12,} {each.bytes:>14,} "
            f"{each.written_at.partition('+')[0]}"
        )
    say(f"{len(found):,} files, {sum(m.rows for m in found):,} rows, {sum(m.bytes for m in found):,} bytes")


@archive.command()
def check(data: Data = None) -> None:
    """Read every file, and compare it with its manifest by size and SHA-256. Exits 1 if one is damaged or missing."""
    archived = _archive(data)
    found = archived.list()
    wrong = [trouble for each in found if (trouble := archived.trouble(each)) is not None]
    for line in wrong:
        out(line)
    say(f"{len(found):,} files read, {len(wrong):,} damaged or missing")
    if wrong:
        raise typer.Exit(1)


def restore(
    name: Annotated[str, typer.Argument(help="As daybook archive list names it.")],
    data: Data = None,
    days: Annotated[int, typer.Option("--days", min=1, help="How long raw events stay, whatever their age.")] = 30,
) -> None:
    """Bring back what was archived: events into ClickHouse, daily rows into ClickHouse and PostgreSQL.

    Daily rows count as changed today. What changed since they left stays as it is. Again changes nothing.
    """
    from daybook import settings
    from daybook.keep import restore as restoring

    rows = restoring.restore(settings.read(data=data), name, days)
    say(f"{rows:,} rows of {name} are back")


def growth(
    data: Data = None,
    days: Annotated[int, typer.Option("--days", min=1, max=730, help="Over how many days to look back.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, in bytes.")] = False,
) -> None:
    """How large each table is, how many rows and bytes come a day, and how large it is in a month and in a year.

    By what was seen hour by hour while the role audit ran, and now; "-" where that spans less than an hour.
    """
    import json

    from daybook import growing, settings
    from daybook.growth import shown

    report = growing.report(settings.read(data=data), days)
    if as_json:
        for each in report.tables:
            out(json.dumps(each._asdict() | {f"bytes_in_{n}_days": each.bytes_in(n) for n in (30, 365)}))
        return
    say(
        f"{'STORE':<10} {'TABLE':<24} {'ROWS':>15} {'ROWS/DAY':>13} {'BYTES':>10} {'BYTES/DAY':>10}"
        f" {'IN 30 DAYS':>10} {'IN A YEAR':>10}"
    )
    for each in report.tables:
        a_day = "-" if each.rows_a_day is None else f"{each.rows_a_day:,.0f}"
        out(
            f"{each.store:<10} {each.name:<24} {each.rows:>15,} {a_day:>13} {shown(each.bytes):>10}"
            f" {shown(each.bytes_a_day):>10} {shown(each.bytes_in(30)):>10} {shown(each.bytes_in(365)):>10}"
        )
    for disk, left in report.full_in_days.items():
        if left is not None:
            say(f"ClickHouse's disk {disk} is full in {left:,.0f} days, if its tables go on like this")


def _archive(data: Path | None) -> Archive:
    from daybook import settings
    from daybook.errors import Problem
    from daybook.keep.archive import Archive

    folder = settings.read(data=data).archive
    if folder is None:
        raise Problem("no archive is set: DAYBOOK_ARCHIVE names its folder")
    return Archive(folder)
