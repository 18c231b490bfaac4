"""wait, verify, rollup: is all there, is it right, and is it kept?"""

from __future__ import annotations

from typing import Annotated

import typer

from daybook.options import Data
from daybook.say import console, out, say


def wait(
    data: Data = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds.")] = 60.0,
) -> None:
    """Wait until all that was published is visible in every store.

    Exits 1 at the timeout, saying what lags where.
    """
    from daybook import settings, sinking, waiting

    kafka = settings.read(data=data).address("kafka")
    with console().status("looking") as line:
        waiting.until_visible(
            kafka,
            list(sinking.groups().values()),
            timeout,
            lambda behind: line.update("; ".join(map(str, behind[:3])) or "looking"),
        )
    say("all that was published is visible in every store")


def verify(data: Data = None) -> None:
    """Recompute every day, what a user's days come to, what trends and what is liked, and compare all stores.

    Prints each difference, and exits 1 if there is one.
    """
    from daybook import settings
    from daybook.verify import verify

    report = verify(settings.read(data=data))
    for mismatch in report.mismatches:
        out(mismatch)
    compared = f"{report.cells:,} days, {report.users:,} users, {report.lists:,} trending lists"
    say(f"{compared} and the tastes of {report.tastes:,} users compared, {len(report.mismatches):,} differences")
    if report.mismatches:
        raise typer.Exit(1)


def rollup(data: Data = None) -> None:
    """Count the views of the last days again, per content and day, into ClickHouse's views_daily.

    The clickhouse worker does so every ten minutes by itself. Again changes nothing but what came since.
    """
    import asyncio

    from daybook import settings
    from sinks.clickhouse.rollup import roll_up

    days = asyncio.run(roll_up(settings.read(data=data).address("clickhouse")))
    say(f"views counted from {days[0]} to {days[-1]}")
