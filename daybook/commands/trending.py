"""trending show, explain, block, unblock, backtest: what trends, why, and what would."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from daybook.options import Data
from daybook.say import out, say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What trends, why, and what would.")

Kind = Annotated[Literal["videos", "creators", "hashtags", "sounds"], typer.Argument(help="Of what.")]
Region = Annotated[str, typer.Option("--region", help="An ISO code, such as DE, or all.")]
Window = Annotated[Literal["1h", "24h", "7d"], typer.Option("--window", help="How far back.")]
Item = Annotated[str, typer.Argument(metavar="ID")]


@app.command()
def show(
    kind: Kind,
    region: Region = "all",
    window: Window = "24h",
    data: Data = None,
    count: Annotated[int, typer.Option("-n", min=1, max=100, help="How many places.")] = 20,
) -> None:
    """Print a list: place, id, score, views, unique viewers."""
    from daybook import settings, trending

    row = trending.read_list(settings.read(data=data), kind, region, window)
    if row is None:
        say(f"there is no list of {kind} for the region {region} yet")
        return
    say(f"{'':>3}  {'ID':<32} {'SCORE':>12} {'VIEWS':>9} {'VIEWERS':>9}   as of {trending.moment(row.at_ms)}")
    for place, entry in enumerate(row.entries[:count], 1):
        out(f"{place:>3}  {entry.id:<32} {entry.score / 1000:>12,.2f} {entry.views:>9,} {entry.unique_viewers:>9,}")


@app.command()
def explain(kind: Kind, id: Item, region: Region = "all", window: Window = "24h", data: Data = None) -> None:
    """Say why something is on a list: what was observed, what was expected, and what else went into its score.

    Exits 1 if it is not on the list.
    """
    from daybook import settings, trending
    from daybook.errors import Problem

    row = trending.read_list(settings.read(data=data), kind, region, window)
    found = [(place, each) for place, each in enumerate(row.entries, 1) if each.id == id] if row is not None else []
    if row is None or not found:
        raise Problem(f"{id} is not on the list of {kind}, region {region}, last {window}")
    for line in trending.explained(row, *found[0]):
        out(line)


@app.command()
def block(
    kind: Kind, id: Item, reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")], data: Data = None
) -> None:
    """Keep something off all lists; who did so, when and why is kept in trending_blocks."""
    _say_block(kind, id, data, reason, blocked=True)


@app.command()
def unblock(
    kind: Kind, id: Item, reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")], data: Data = None
) -> None:
    """Let something back onto the lists that was blocked."""
    _say_block(kind, id, data, reason, blocked=False)


def _say_block(kind: str, id: str, data: Path | None, reason: str, *, blocked: bool) -> None:
    from daybook import settings, trending

    said = trending.say_block(settings.read(data=data), kind, id, blocked=blocked, reason=reason)
    say(f"{kind} {id}: {'blocked' if said.blocked else 'no longer blocked'}, by {said.by}")


@app.command()
def backtest(
    params: Annotated[
        Path, typer.Option("--params", metavar="FILE", help="TOML or JSON with what shall be different.")
    ],
    from_: Annotated[datetime, typer.Option("--from", help="Where the views begin, UTC.")],
    to: Annotated[datetime, typer.Option("--to", help="Where they end: the lists are as of then.")],
    kind: Annotated[Literal["videos", "creators", "hashtags", "sounds"], typer.Option("--kind")] = "videos",
    region: Region = "all",
    window: Window = "24h",
    data: Data = None,
    count: Annotated[int, typer.Option("-n", min=1, max=100, help="How many places to print.")] = 20,
) -> None:
    """Make a list again from the raw views in ClickHouse, as it is made now and with other parameters, side by side."""
    from daybook import settings, trending
    from daybook.errors import Misuse

    other, read = trending.params_of(params), settings.read(data=data)
    from_ms, to_ms = (int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000) for at in (from_, to))
    if from_ms >= to_ms:
        raise Misuse("--from must lie before --to")
    now, then = trending.backtest(
        read, other, from_ms, to_ms, by_event_time=read.trending_clock == "event", blocked=trending.blocked_now(read)
    )
    at = (kind, region, window)
    found = trending.compared(now.get(at, []), then.get(at, []))
    say(f"{'':>3}  {'AS IT IS':<40} {'WITH ' + params.name:<40}")
    *places, last = found.lines()
    for line in [*places[:count], last]:
        out(line.rstrip())
