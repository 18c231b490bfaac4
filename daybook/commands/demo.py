"""demo: see all of it work, once, on real data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daybook.say import console, out, say

if TYPE_CHECKING:
    from daybook.demo import Outcome


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="An empty folder [default: a temporary one]")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object, the last line of stdout.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave all running, with the page, to look around.")] = False,
) -> None:
    """The first run: real data into verified daily totals.

    A month of Fitbit data through Kafka, Faust, PostgreSQL, ClickHouse and Redis, compared with Fitbit's own daily
    totals; beside it an hour of a made-up audience's views, and how a trending list moves. Exits 0 only if every figure
    is what it must be.
    """
    from daybook import demo, settings

    folder = None if data is None else settings.read(data=data).data
    outcome = demo.Outcome()
    try:
        with demo.stopped_after(folder, keep=keep) as home:
            demo.run(home, outcome, page=keep)
            _show(outcome)
            if keep:
                _say_how_to_go_on(home)
    finally:
        wrong = outcome.wrong()
        seconds = round(demo.seconds_since_start(), 1)
        if as_json:
            out(json.dumps({"ok": not wrong, **outcome.figures(), "seconds": seconds}))
    if wrong:
        for line in wrong:
            say(f"daybook: {line}")
        raise typer.Exit(1)
    say(f"all of it holds; {seconds:.0f} s in all")


def _show(outcome: Outcome) -> None:
    from rich.table import Table

    from daybook.chart import fullest_week, week_lines
    from daybook.demo_trending import FANS, SURPRISE

    counters, agreement = outcome.counters, outcome.agreement
    if counters is None or agreement is None:
        return
    table = Table(title="A month of 33 people beside Fitbit's own totals", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    applied, moved = f"{counters.applied:,}", f"visible everywhere in {outcome.moving_s:.1f} s"
    rows = (
        ("events sent", f"{outcome.sent:,}", "hours, sleeps, weights"),
        ("  applied", applied, ""),
        ("  duplicate", f"{counters.duplicate:,}", "rows that the source holds twice"),
        ("  rejected", f"{counters.rejected:,}", ""),
        ("days with equal steps", f"{agreement.steps_equal} of {agreement.days}", "775: all that the source supports"),
        (
            "days with close kcal",
            f"{agreement.calories_close} of {agreement.days}",
            "879: all that the source supports",
        ),
        ("days verified", f"{outcome.cells:,}", "recomputed, compared in 3 stores"),
        ("trending lists verified", f"{outcome.lists:,}", "counted again from the raw views"),
        ("differences", f"{outcome.mismatches:,}", ""),
        ("events a second", f"{outcome.events_per_second:,}", moved),
    )
    for row in rows:
        table.add_row(*row)
    screen = console()
    screen.print(table)
    if week := fullest_week(outcome.days):
        screen.print(f"\nOne week of {week[0].user}", style="bold")
        for line in week_lines(week):
            screen.print(line, no_wrap=True, overflow="ellipsis")
    if outcome.moved is not None:
        seconds = f"{outcome.moved.seconds:.1f} s after {FANS} people began to watch {SURPRISE}"
        screen.print(f"\nTrending videos of the last hour, {seconds}", style="bold")
        for line in outcome.moved.lines():
            screen.print(line, no_wrap=True, overflow="ellipsis", highlight=False)


def _say_how_to_go_on(folder: Path) -> None:
    from daybook import demo, running

    demo.say_the_page(running.of_folder(folder))
    say(f"it goes on running in {folder}. Where the servers are: daybook env --data {folder}")
    say(f"to stop it: daybook down --data {folder}")
