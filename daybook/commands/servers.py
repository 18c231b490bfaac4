"""up, down, status, logs, env: the servers and workers of a data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from daybook.options import Data, Partitions
from daybook.say import out, say

if TYPE_CHECKING:
    from daybook.state import Row


def up(
    data: Data = None,
    partitions: Partitions = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when all is ready; it goes on in the background.")
    ] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Also the role that watches: canaries, and a sampled verify without end.")
    ] = False,
    api: Annotated[bool, typer.Option("--api", help="Also the HTTP service; env prints its address.")] = False,
) -> None:
    """Start servers, topics, tables and workers.

    Called again it starts only what is missing. Workers that end are started again. Without --detach it stays until
    Ctrl-C, and stops all then.
    """
    from daybook import running, settings

    folder = settings.read(data=data).data
    extra = [role for role, wanted in (("audit", audit), ("api", api)) if wanted]
    if detach:
        running.up(folder, partitions, say, extra=extra)
        say(f"all is ready in {folder}; to stop it: daybook down --data {folder}")
        return
    from daybook import foreground

    foreground.stay(folder, partitions, extra=extra)


def down(data: Data = None) -> None:
    """Stop the workers, each draining first, then the servers."""
    from daybook import running, settings

    running.down(settings.read(data=data).data, say)


def status(
    data: Data = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="All of it as one line of JSON, as /v1/operator says it.")
    ] = False,
) -> None:
    """One line a role, then what the metrics come to (on stderr); exits 1 unless all is healthy.

    Columns: name, state, pid, seconds up, records behind, seconds behind, seconds that a canary event took to be
    readable in the store (while the role audit runs), events refused, restarts, address of the metrics.
    """
    import msgspec

    from daybook import looking, settings
    from daybook.state import Row

    found = looking.look(settings.read(data=data))
    rows = [Row(**row) for row in found["roles"]]
    if as_json:
        out(msgspec.json.encode(found).decode())
    else:
        _table(rows)
        for line in looking.lines(found):
            say(line)
    if not all(row.state == "running" for row in rows):
        raise typer.Exit(1)


def _table(rows: list[Row]) -> None:
    say(
        f"{'ROLE':<18} {'STATE':<9} {'PID':>7} {'UP_S':>7} {'LAG':>7} {'LAG_S':>6} {'FRESH_S':>7} {'REJECTED':>8}"
        f" {'RESTARTS':>8} METRICS"
    )
    for row in rows:
        out(
            f"{row.role:<18} {row.state:<9} {_or_dash(row.pid):>7} {_or_dash(row.uptime_s):>7} {_or_dash(row.lag):>7}"
            f" {_or_dash(row.lag_s, '.1f'):>6} {_or_dash(row.fresh_s, '.2f'):>7} {_or_dash(row.rejected):>8}"
            f" {_or_dash(row.restarts):>8} {row.metrics or '-'}"
        )
    for row in rows:
        if row.why is not None:
            say(f"{row.role}: {row.why}")


def _or_dash(value: float | None, form: str = "") -> str:
    return "-" if value is None else format(value, form)


def logs(
    role: Annotated[
        str | None, typer.Argument(help="A server or worker, as status names them; all if left out.")
    ] = None,
    data: Data = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added; Ctrl-C ends it.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 50,
) -> None:
    """Print the logs of the servers and workers of a folder."""
    from daybook import logfiles, settings

    for line in logfiles.read(settings.read(data=data).data, role, lines, follow=follow):
        out(line)


def env(
    data: Data = None,
    analyst: Annotated[
        bool, typer.Option("--analyst", help="Only ClickHouse of this folder, for who may ask and do nothing else.")
    ] = False,
) -> None:
    """Print where the servers are, as DAYBOOK_* variables.

    One a line; DAYBOOK_API while the HTTP service runs. Only the passwords of the folder's own servers stand there.
    """
    from daybook import running, serving, settings
    from daybook.scrub import scrub

    found = settings.read(data=data)
    if analyst:
        from stack.stack import Stack

        out(f"DAYBOOK_CLICKHOUSE={Stack(found.data).analyst_url()}")
        return
    told = {server: found.address(server) for server in settings.SERVERS}
    own = running.own(found.data)
    for server, address in told.items():
        out(f"DAYBOOK_{server.upper()}={address if address == own.get(server) else scrub(address)}")
    if (api := serving.address(found)) is not None:
        out(f"DAYBOOK_API={api}")
