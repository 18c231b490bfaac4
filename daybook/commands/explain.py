"""explain: what a number is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daybook.errors import Misuse
from daybook.options import Data
from daybook.say import out, say

if TYPE_CHECKING:
    from daybook.explain import Explanation, Line


def explain(
    user: Annotated[str, typer.Argument(metavar="USER")],
    day: Annotated[str, typer.Argument(metavar="DAY", help="Local day, YYYY-MM-DD.")],
    metric: Annotated[str | None, typer.Argument(metavar="[METRIC]", help="Such as steps; all without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: Data = None,
) -> None:
    """Say what a day's numbers are made of.

    Lists the entities that count, what was left out and why, the goals and plans that judged the day, and the row in
    each store. Exits 1 if a store says something else.
    """
    import msgspec

    from daybook import settings
    from daybook.explain import agrees
    from daybook.explaining import ask

    try:
        found = ask(settings.read(data=data), user, day, metric)
    except ValueError as why:
        raise Misuse(str(why)) from None
    if as_json:
        out(msgspec.json.encode(found).decode())
    else:
        for line in table(found):
            out(line)
    if wrong := [store for store, same in agrees(found).items() if not same]:
        say(f"{', '.join(wrong)}: not what the events say (daybook verify tells whether that lasts)")
        raise typer.Exit(1)


def table(found: Explanation) -> Iterable[str]:
    """The explanation for people: whole lines, in columns."""
    yield f"{found.user_id} {found.date}" + (f" {found.metric}" if found.metric else "")
    yield f"profile     {found.profile or 'none: days as the events say, else UTC'}"
    yield f"priority    {' < '.join(found.priority) if found.priority else 'default: web < phone < watch'}"
    yield "values"
    yield from _columns([(name, _text(value)) for name, value in found.row.items()])
    yield f"counted     {len(found.counted)}"
    yield from _columns([_cells(line) for line in found.counted])
    yield f"left out    {len(found.left_out)}"
    yield from _columns([_cells(line) for line in found.left_out])
    if found.goals:
        yield "goals"
        yield from _columns(
            [
                (name, goal.metric, goal.direction, f"target {goal.target:g} ± {goal.tolerance_pct:g} %",
                 f"version of {goal.effective_from}", "no value" if goal.hit is None else
                 f"actual {goal.actual:g}, {'hit' if goal.hit else 'missed'} by {goal.delta:+g}")
                for name, goal in found.goals.items()
            ]
        )  # fmt: skip
    if found.planned:
        yield "planned"
        done = found.planned.items()
        yield from _columns([(name, one.how, f"{one.pct:g} %", one.entity or "") for name, one in done])
    if found.plans:
        yield "goals, plans and profiles"
        yield from _columns([_cells(line) for line in found.plans])
    yield "stores"
    if not found.stores:
        yield "  no row anywhere, as it should be"
    for store, row in found.stores.items():
        if row is None:
            yield f"  {store}: no row" + (" (it may have expired)" if store == "redis" else "")
        else:
            same = {name: value for name, value in row.items() if name != "version"} == found.row
            yield f"  {store}: version {row['version']}, " + ("the same" if same else f"says {_text(row)}")


def _cells(line: Line) -> tuple[str, ...]:
    says = ", ".join(f"{name} {value:,}" for name, value in line.says.items())
    if line.counts:
        says += "; counts " + ", ".join(f"{name} {value:,}" for name, value in line.counts.items())
    return line.type, line.entity, f"revision {line.revision}", line.source, line.time, says, line.why or ""


def _columns(rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    found = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*found, strict=True)]
    for row in found:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _text(value: Any) -> str:
    import msgspec

    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else str(value)
