"""repair: a store that was restored, or holds something wrong, is made right."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime
from typing import Annotated, Literal

import typer

from daybook.options import Data
from daybook.say import console, out, say


def repair(
    store: Annotated[
        Literal["postgres", "clickhouse", "redis"] | None,
        typer.Argument(help="The store that was restored; without it nothing is read again, only compared."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Read again only what was written since then (RFC 3339, well before the backup was begun)."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds until the store must hold it.")] = 3600.0,
    data: Data = None,
) -> None:
    """Make a store right that was restored from a backup; compare all, and have said again what is wrong anywhere.

    Its sink reads its topics again: workers of the folder are stopped and started for it, others must be stopped before
    and started once it says so. Whoever was erased since the backup leaves again. Prints what differs still, and exits
    1 then. May be called at any time, and again.
    """
    from daybook import repair as repairing
    from daybook import running, settings, workers
    from stack.lock import locked

    since_ms = _ms(since)
    found = settings.read(data=data)
    if store is not None:
        here = (found.data / "run").is_dir()
        with locked(found.data / "workers.lock", say, timeout_s=180.0) if here else nullcontext():
            ended = workers.ending(found.data, store)[0] is not None  # it may have refused what the restore left
            ours = (bool(workers.stop(found.data, [store])) or ended) if here else False
            repairing.read_again(found, store, since_ms, say)
            if ours:
                workers.start(found.data, running.of_folder(found.data), [store])
        if not ours:
            say(f"start the workers of the role {store} now")
    with console().status("looking") as line:
        repairing.wait(found, timeout, lambda behind: line.update("; ".join(map(str, behind[:3])) or "looking"))
    report = repairing.repair(found, say)
    for mismatch in report.mismatches:
        out(mismatch)
    say(f"{report.cells:,} days and {report.users:,} users compared, {len(report.mismatches):,} differences")
    if report.mismatches:
        raise typer.Exit(1)


def _ms(since: str | None) -> int | None:
    from daybook.errors import Misuse

    if since is None:
        return None
    try:
        at = datetime.fromisoformat(since)
        if at.tzinfo is None:
            raise ValueError
    except ValueError:
        raise Misuse(f"--since: {since} is no time with an offset, such as 2026-03-01T12:00:00Z") from None
    return int(at.timestamp() * 1000)
