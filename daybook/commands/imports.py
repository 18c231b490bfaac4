"""import: what people bring along from other apps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from daybook.options import Data
from daybook.say import console, out, say

if TYPE_CHECKING:
    from producers.imports.run import Tally
    from producers.publish import Published

_SHOWN_FROM_BYTES = 1_000_000
"""Shorter files are through before a bar says anything."""


def import_(
    form: Annotated[
        Literal["strong", "myfitnesspal", "fit", "apple-health"],
        typer.Argument(metavar="FORMAT", help="strong, myfitnesspal, fit (Garmin) or apple-health."),
    ],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The export, or the zip with it.")],
    subject: Annotated[str, typer.Option("--subject", help="The user that it belongs to.")],
    data: Data = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone", help="Where local times are, such as Europe/Berlin: needed where a file has no offset."
        ),
    ] = None,
    unit: Annotated[
        Literal["kg", "lb"] | None, typer.Option("--unit", help="strong: unit of loads, where the file names none.")
    ] = None,
    warm_ups: Annotated[bool, typer.Option("--warm-ups", help="strong: count warm-up sets too.")] = False,
    person: Annotated[
        int | None, typer.Option("--person", min=0, help="fit: whose weights, where a scale knows several people.")
    ] = None,
    revision: Annotated[
        int | None,
        typer.Option(
            "--revision",
            min=1,
            max=2_147_483_647,
            help="The higher one wins [default: the export's date, or the file's last change, in minutes since 1970].",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the events as JSON lines; send nothing.")] = False,
) -> None:
    """Publish the export of another app; again changes nothing.

    Prints how many rows were read and what became of them. Each bad row is named with its file and line and stops no
    other. Exits 1 if there was one.
    """
    from daybook import settings
    from producers.imports.outcome import Options
    from producers.imports.run import Tally, find, records
    from producers.publish import publish_records

    options = Options(subject, timezone, unit, revision, warm_ups, person)
    found, tally = find(form, files), Tally()
    kafka = None if dry_run else settings.read(data=data).address("kafka")
    with _bytes_bar(sum(one.size for one in found)) as (moved, tell):
        now_ms = int(time.time() * 1000)
        made = records(form, found, options, tally, now_ms=now_ms, tell=tell, on_bytes=moved)
        if kafka is None:
            for record in made:
                print(record.value.decode())
            sys.stdout.flush()
            published = None
        else:
            published = publish_records(kafka, made)
    _sum_up(tally, published)
    if tally.bad:
        raise typer.Exit(1)


def _sum_up(tally: Tally, published: Published | None) -> None:
    """For programs where the events went to Kafka, for people beside the events of a dry run."""
    write = say if published is None else out
    write(f"read {tally.read}")
    write(f"used {tally.used}")
    for reason, rows in sorted(tally.skipped.items()):
        write(f"skipped {rows} {reason}")
    write(f"bad {tally.bad}")
    write(f"warnings {tally.warnings}")
    for kind, count in sorted(tally.made.items()):
        write(f"{kind} {count}")
    write(f"events {tally.made.total()}")
    if published is not None and published.seconds:
        say(f"{published.events:,} events in {published.seconds:.1f} s")


@contextmanager
def _bytes_bar(total: int) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """A progress bar on stderr for a long file: told the bytes read so far, and lines that are to stand above it."""
    if total < _SHOWN_FROM_BYTES:
        yield (lambda done: None), say
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

    screen = console()
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen) as bar:
        task = bar.add_task("reading", total=total)
        yield (
            lambda done: bar.update(task, completed=done),
            lambda line: bar.console.print(line, markup=False, soft_wrap=True),
        )
