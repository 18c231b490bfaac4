"""migrate, worker: what a deployment elsewhere calls too."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from daybook.options import Data, Partitions
from daybook.say import out, say


def migrate(
    data: Data = None,
    partitions: Partitions = None,
    state_format: Annotated[
        int | None,
        typer.Option(
            "--state-format", help="What workers write their state in from their next start on: all must read it."
        ),
    ] = None,
) -> None:
    """Create what topics and tables are missing, check the others.

    Kafka's topics, and the numbered migrations of PostgreSQL and ClickHouse. Again changes nothing.
    """
    from daybook import migrating, settings

    count = migrating.migrate(settings.read(data=data, partitions=partitions), say, state_format)
    out(f"partitions {count}")


def rebuild(
    data: Data = None,
    partitions: Annotated[
        int | None, typer.Option("--partitions", min=1, max=1000, help="Of all topics [default: as many as now]")
    ] = None,
    from_stores: Annotated[
        bool,
        typer.Option("--from-stores", help="Kafka was lost, this one is new: fill it with what the stores keep."),
    ] = False,
) -> None:
    """Fold all again under a new generation: for another number of partitions, or after Kafka was lost.

    The way out where workers refuse to go on: a topic was made again, or lost records. Events stay, or are placed anew;
    what they come to is made again. Workers of the folder are stopped meanwhile and started afterwards; others must be
    stopped before. Cut short, it goes on when called again.
    """
    from daybook import rebuild, running, settings

    found = settings.read(data=data)
    ran = running.stop_workers(found.data, say)
    count = rebuild.rebuild(found, partitions, say, from_stores=from_stores)
    out(f"rebuilds {count}")
    if ran:
        running.up(found.data, None, say, extra=ran)


def supervisor(data: Data = None) -> None:
    """Start workers of a folder again that end; `up` does this in the background."""
    from daybook import settings
    from daybook import supervisor as supervising

    supervising.run(settings.read(data=data).data)


def worker(
    role: Annotated[
        Literal[
            "streams",
            "progress",
            "trending",
            "lists",
            "affinity",
            "postgres",
            "clickhouse",
            "redis",
            "loader",
            "audit",
            "api",
            "all",
        ],
        typer.Option(
            "--role",
            help="streams folds events into days, progress what they come to; trending counts views, lists ranks them; "
            "affinity finds what users like and may like; postgres, clickhouse and redis write it to their store; "
            "loader brings old entities back; audit watches; api is the HTTP service.",
        ),
    ],
    data: Data = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Stable name in the consumer group, where several run on one machine.")
    ] = None,
) -> None:
    """Be one worker, or all of them, until SIGTERM or Ctrl-C."""
    from daybook import roles, settings

    roles.run(role, settings.read(data=data, worker_name=name))


def token(
    subject: Annotated[
        str, typer.Option("--subject", help="Whom the token speaks for: a user id, or a service's name.")
    ],
    role: Annotated[
        Literal["user", "service", "admin"],
        typer.Option("--role", help="user: writes and reads this subject; service: many; admin: also operates."),
    ] = "user",
    hours: Annotated[float, typer.Option("--hours", min=0.01, max=8760, help="How long it counts.")] = 24,
    data: Data = None,
) -> None:
    """Print a bearer token for the HTTP service, signed with this installation's secret."""
    from daybook import serving, settings

    out(serving.token(settings.read(data=data), subject, role, hours * 3600))
