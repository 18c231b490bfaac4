"""backfill METRIC, backfill list, show, swap, drop: the definition of a metric changes, in shadow first."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from daybook.options import Data
from daybook.say import console, out, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daybook.backfill.runs import Runs
    from daybook.backfill.values import Diff
    from daybook.settings import Settings

_QUIET_S = 10.0
"""Where stderr is no terminal, a line of progress so often."""
_START = "metric"
_LATER = 10**8
"""A local day after all that anybody names."""


class _MetricOrCommand(TyperGroup):
    """`backfill METRIC ...` is `backfill metric METRIC ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = [_START, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_MetricOrCommand,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Change a metric's definition: daybook backfill METRIC --set PARAMETER=VALUE --from DAY --to DAY",
)
Budgeted = Annotated[
    str,
    typer.Option("--budget", help="How fast: a share of one processor's time (25%), or user-days a second (2000)."),
]
Number = Annotated[int, typer.Argument(metavar="RUN", help="As daybook backfill list numbers it.")]


@app.command(_START)
def start(
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="A daily metric.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="PARAMETER=VALUE", help="What is defined otherwise.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First local day, YYYY-MM-DD [default: the first]")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Last local day [default: all days to come too]")
    ] = None,
    budget: Budgeted = "50%",
    data: Data = None,
) -> None:
    """Compute a metric by another definition, in shadow, and say what would change. Nobody reads anything of it before
    `daybook backfill swap`. Cut short, it goes on when called again. The word "metric" may be left out.
    """
    from daybook import defining, settings
    from daybook.backfill.runs import READY

    found = settings.read(data=data)
    span, paced = (_day("--from", first), _day("--to", last)), _budget(budget)
    defining.settled(found)
    said = defining.known(found).said
    values = _values(metric, changes or [], span, said)
    with _runs(found) as runs:
        run = runs.begin(metric, values, span, said)
        known = [f"{name} {value}" for name, value in values.items()]
        say(f"backfill {run.id}: {metric} version {run.version} ({', '.join(known)}), {run.span}, at {paced}")
        with runs.alone(), _line() as line:
            from daybook.backfill.shadow import Computing
            from daybook.backfill.watch import Watch

            progress = _Progress(line, "computed", run.days)
            watch = Watch(found, runs, run, paced, progress.wait)
            computing = Computing(found, runs, run, said, watch, progress.add)
            try:
                progress.total = computing.insist(computing.shadow.total)
                computing.compute()
                diff = computing.insist(computing.shadow.diff)
            finally:
                computing.close()
        say(f"{diff.days:,} days computed in {progress.took_s:,.0f} s, {watch.waited_s:,.0f} s of them waited")
        _show(diff)
        assert computing.run.state == READY
        say(f"nothing is changed yet: daybook backfill swap {run.id}, or daybook backfill drop {run.id}")


@app.command("list")
def list_(data: Data = None) -> None:
    """List all backfills: number, metric, version, days, state, and what they changed."""
    from daybook import settings

    with _runs(settings.read(data=data)) as runs:
        say(f"{'RUN':>4} {'METRIC':<28} {'VERSION':>7} {'STATE':<9} {'LOOKED AT':>11} DAYS")
        for run in runs.all():
            out(f"{run.id:>4} {run.metric:<28} {run.version:>7} {run.state:<9} {run.days:>11,} {run.span}")


@app.command()
def show(number: Number, data: Data = None) -> None:
    """Show one backfill: what it changes, how far it is, and the diff."""
    import msgspec

    from daybook import settings
    from daybook.backfill.values import Diff, Shadow

    found = settings.read(data=data)
    with _runs(found) as runs:
        run = runs.get(number)
        say(f"backfill {run.id}: {run.metric} version {run.version} {run.parameters}, {run.span}: {run.state}")
        if run.diff:
            return _show(msgspec.convert(run.diff, Diff))
        if run.state == "dropped":
            return
        shadow = Shadow(found, run)
        try:
            _show(shadow.diff())
        finally:
            shadow.close()


@app.command()
def swap(number: Number, budget: Budgeted = "50%", data: Data = None) -> None:
    """Put a backfill's definition in force for all owners at once, and have what changes said again, silently.

    Cut short, it goes on when called again; until then verify refuses.
    """
    from daybook import defining, settings
    from daybook.backfill import swap as swapping
    from daybook.backfill.runs import READY, SWAPPING
    from daybook.backfill.shadow import Computing
    from daybook.backfill.watch import Watch
    from daybook.errors import Problem
    from schemas.definitions import Definitions

    found, paced = settings.read(data=data), _budget(budget)
    with _runs(found) as runs, runs.alone():
        run = runs.get(number)
        if run.state not in (READY, SWAPPING):
            raise Problem(f"backfill {number} is {run.state}: only what is ready can be put in force")
        if defining.moving(found) not in (None, str(run.id)):
            defining.settled(found)
        said = defining.known(found).said
        if not swapping.fits(run.base, run.id, said):
            raise Problem(f"another definition was put in force since backfill {number} began: drop it and begin again")
        mine = swapping.is_in_force(run.id, said)
        without = Definitions(said.number - 1, said.versions[:-1]) if mine else said
        with _line() as line:
            progress = _Progress(line, "said again", 0)
            watch = Watch(found, runs, run, paced, progress.wait)
            computing = Computing(found, runs, run, without, watch, progress.add)
            try:
                diff = swapping.swap(computing, said, progress.step)
            finally:
                computing.close()
    _show(diff)
    say(
        f"in force: {run.metric} version {run.version}, {run.span}; {progress.done:,} days said again in "
        f"{progress.took_s:,.0f} s, {watch.waited_s:,.0f} s of them waited"
    )


@app.command()
def drop(number: Number, data: Data = None) -> None:
    """Throw a backfill away that is not in force."""
    from daybook import settings
    from daybook.backfill.runs import DROPPED, READY, SHADOW
    from daybook.backfill.values import Shadow
    from daybook.errors import Problem

    found = settings.read(data=data)
    with _runs(found) as runs, runs.alone():
        run = runs.get(number)
        if run.state not in (SHADOW, READY):
            raise Problem(f"backfill {number} is {run.state}: to go back, backfill the values of before")
        shadow = Shadow(found, run)
        try:
            shadow.drop()
        finally:
            shadow.close()
        runs.update(run, state=DROPPED)
        runs.end(run)
    say(f"backfill {number} is dropped: nothing was changed")


# -- reading what was asked for


def _values(metric: str, changes: list[str], span: tuple[date | None, date | None], said: Any) -> dict[str, Any]:
    """All parameters of the new definition. Raises Misuse, saying which there are."""
    from daybook.errors import Misuse
    from schemas.instants import day_number
    from streams.daily.definitions import PARAMETERS, InForce, parameters_of, values_of

    parameters = {each.name: each for each in parameters_of(metric)}
    if not parameters:
        names = ", ".join(dict.fromkeys(each.metric for each in PARAMETERS))
        raise Misuse(f"{metric} has no definition that can be changed this way; these have: {names}")
    at = span[1] or span[0]
    values = values_of(metric, InForce(said).on(_LATER if at is None else day_number(at)))
    asked = "; ".join(f"--set {p.name}={p.range}: {p.what}; now {values[p.name]}" for p in parameters.values())
    if not changes:
        raise Misuse(f"{metric}: say what changes: {asked}")
    for change in changes:
        name, sign, value = change.partition("=")
        if not sign or name not in parameters:
            raise Misuse(f"--set {change}: {asked}")
        try:
            values[name] = parameters[name].parse(value)
        except ValueError as why:
            raise Misuse(f"--set {change}: {why}") from None
    if span[0] and span[1] and span[0] > span[1]:
        raise Misuse(f"--from {span[0]} is after --to {span[1]}")
    return values


def _day(option: str, text: str | None) -> date | None:
    from daybook.errors import Misuse
    from schemas.instants import parse_day

    try:
        return None if text is None else parse_day(text)
    except ValueError as why:
        raise Misuse(f"{option} {text}: {why}") from None


def _budget(text: str) -> Any:
    from daybook.backfill.budget import Budget
    from daybook.errors import Misuse

    try:
        return Budget.parse(text)
    except ValueError as why:
        raise Misuse(f"--budget: {why}") from None


@contextmanager
def _runs(found: Settings) -> Iterator[Runs]:
    from daybook.backfill.runs import Runs

    runs = Runs(found.address("postgres"))
    try:
        yield runs
    finally:
        runs.close()


# -- saying what happens


@contextmanager
def _line() -> Iterator[Any]:
    terminal = console()
    with terminal.status("looking") as status:
        yield status if terminal.is_terminal else None


class _Progress:
    """A line that stays where stderr is a terminal, lines now and then elsewhere."""

    def __init__(self, status: Any, what: str, done: int) -> None:
        self._status, self._what = status, what
        self.done, self.total = done, 0
        self._before, self._began, self._told = done, time.monotonic(), time.monotonic()
        self._step, self._waiting = "", ""

    @property
    def took_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def add(self, days: int) -> None:
        """So many days more."""
        self.done += days
        self._tell()

    def step(self, what: str, days: int) -> None:
        """A step of several, and so many days more."""
        if what != self._step:
            self._step = what
            self._tell(at_once=True)
        self.add(days)

    def wait(self, why: str) -> None:
        """Why nothing happens now; empty: it goes on."""
        if why != self._waiting:
            changed = bool(why) != bool(self._waiting)
            self._waiting = why
            self._tell(at_once=changed)

    def _tell(self, at_once: bool = False) -> None:
        rate = (self.done - self._before) / max(self.took_s, 0.001)
        left = f", {max(0, self.total - self.done) / rate:,.0f} s to go" if self.total and rate else ""
        of = f" of about {self.total:,}" if self.total else ""
        parts = [self._step, f"{self.done:,}{of} days {self._what}, {rate:,.0f} a second{left}", self._waiting]
        text = "; ".join(part for part in parts if part)
        if self._status is not None:
            self._status.update(text)
        elif at_once or time.monotonic() - self._told > _QUIET_S:
            self._told = time.monotonic()
            say(text)


def _show(diff: Diff) -> None:
    """The diff, on stdout."""
    out(f"days      {diff.days_changed:,} of {diff.days:,} change")
    out(f"users     {diff.users_changed:,} of {diff.users:,} have such a day")
    if diff.appeared or diff.vanished:
        out(f"null      {diff.appeared:,} days get a value, {diff.vanished:,} lose theirs")
    if diff.mean is not None:
        out(f"change    mean {diff.mean:+,g}, median {diff.median:+,g}, from {diff.smallest:+,g} to {diff.largest:+,g}")
    for name, days in diff.others.items():
        out(f"also      {name} on {days:,} days")
    for each in diff.samples:
        out(f"sample    {each.user_id} {each.date}: {each.before} -> {each.after}")
