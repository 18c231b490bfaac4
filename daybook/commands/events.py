"""send, replay, generate: events into Kafka."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from daybook.options import Data
from daybook.say import console, out, say

if TYPE_CHECKING:
    from producers.publish import Published
    from producers.send import Verdict

Rate = Annotated[
    float | None, typer.Option("--rate", min=0.001, help="Events a second; as fast as it goes if left out.")
]


def send(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="CloudEvents, one JSON object a line; - reads stdin.")],
    data: Data = None,
    rate: Rate = None,
) -> None:
    """Check events and publish the good ones.

    One line each says what became of it. Exits 1 if any was refused; the others are sent.
    """
    from daybook import settings
    from producers.send import send

    kafka = settings.read(data=data).address("kafka")
    with _lines(file) as lines:
        sent = send(kafka, lines, now_ms=int(time.time() * 1000), on_verdict=_tell, rate=rate)
    sys.stdout.flush()
    say(f"{sent.accepted} accepted, {sent.refused} refused")
    if sent.refused:
        raise typer.Exit(1)


def _tell(verdict: Verdict) -> None:
    from schemas.codec import Rejected

    if isinstance(verdict.outcome, Rejected):
        print(f"line {verdict.line}: refused: {verdict.outcome.reason} at {verdict.outcome.path}")
    else:
        print(f"line {verdict.line}: accepted")


@contextmanager
def _lines(file: str) -> Iterator[Iterator[bytes]]:
    from daybook.errors import Problem

    if file == "-":
        yield iter(sys.stdin.buffer)
        return
    try:
        with Path(file).open("rb") as lines:
            yield iter(lines)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as why:
        raise Problem(f"{file}: {why.strerror}") from why


def replay(
    what: Annotated[
        Literal["fitbit", "youtube"],
        typer.Argument(
            help="fitbit: a month of 33 people, 2016; youtube: a month of trending videos, 2017, one view for 10,000."
            " Its views count where DAYBOOK_TRENDING_CLOCK is event."
        ),
    ],
    data: Data = None,
    rate: Rate = None,
) -> None:
    """Publish a month of real data; again changes nothing.

    Prints how many events went to which topic.
    """
    from daybook import settings
    from producers import fitbit
    from producers.publish import publish

    kafka = settings.read(data=data).address("kafka")
    if what == "youtube":
        return _replay_youtube(kafka, rate)
    with progress(f"replaying {what}", fitbit.EVENTS) as moved:
        published = publish(kafka, fitbit.events(), on_progress=moved, rate=rate)
    _count(published)


def _replay_youtube(kafka: str, rate: float | None) -> None:
    from producers import youtube
    from producers.publish import publish

    refused = [row for row in youtube.rows() if isinstance(row, youtube.Malformed)]
    with progress("replaying youtube", None) as moved:
        published = publish(kafka, youtube.events(), on_progress=moved, rate=rate)
    for row in refused:
        out(f"row {row.line}: refused: {row.reason}")
    out(f"refused {len(refused)}")
    _count(published)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; what it yields is told the number done so far."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        *(SpinnerColumn(), TextColumn("{task.description}"), BarColumn()),
        *(MofNCompleteColumn(), TextColumn("events"), TimeElapsedColumn()),
    )
    with Progress(*columns, console=console()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
        bar.update(task, total=bar.tasks[0].completed)  # it may have been an estimate


def _count(published: Published) -> None:
    for topic, count in sorted(published.counts.items()):
        out(f"{topic} {count}")
    out(f"events {published.events}")
    rate = published.events / published.seconds if published.seconds else 0
    say(f"{published.events:,} events in {published.seconds:.1f} s, {rate:,.0f} a second")


def _share(name: str, what: str, default: float) -> object:
    return typer.Option(f"--{name}", min=0, max=1, help=f"Share of {what} [default: {default:g}]")


def generate(
    users: Annotated[int, typer.Option("--users", min=1, help="How many people.")],
    days: Annotated[int, typer.Option("--days", min=1, help="How many local days of each.")],
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same events, on every machine.")],
    data: Data = None,
    rate: Rate = None,
    start: Annotated[
        datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], help="The first local day.")
    ] = None,
    duplicates: Annotated[float | None, _share("duplicates", "events sent twice", 0.02)] = None,
    edits: Annotated[float | None, _share("edits", "entities edited", 0.04)] = None,
    deletes: Annotated[float | None, _share("deletes", "entities deleted", 0.02)] = None,
    late: Annotated[float | None, _share("late", "entities one to seven days late", 0.02)] = None,
    out_of_order: Annotated[float | None, _share("out-of-order", "entities up to six hours late", 0.05)] = None,
    implausible: Annotated[float | None, _share("implausible", "entities with an implausible field", 0.002)] = None,
    bad: Annotated[float | None, _share("bad", "entities with a bad event beside them", 0.0)] = None,
    activity: Annotated[float | None, _share("activity", "people with a device that tells each hour", 0.1)] = None,
) -> None:
    """Publish the events of a made-up population.

    Meals, workouts, water, sleep, weight, goals; and edits, deletes, duplicates, events late and out of order.
    Prints how many events went to which topic.
    """
    from daybook import settings
    from producers import generate
    from producers.publish import publish

    shares = {
        **{"duplicates": duplicates, "edits": edits, "deletes": deletes, "late": late, "out_of_order": out_of_order},
        **{"implausible": implausible, "bad": bad, "activity": activity},
    }
    kafka = settings.read(data=data).address("kafka")
    events = generate.events(
        users=users,
        days=days,
        seed=seed,
        start=generate.START if start is None else start.date(),
        **{name: share for name, share in shares.items() if share is not None},
    )
    with progress("generating", generate.estimate(users=users, days=days)) as moved:
        published = publish(kafka, events, on_progress=moved, rate=rate)
    _count(published)
