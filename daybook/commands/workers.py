"""migrate, worker: what a deployment elsewhere calls too."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from daybook.options import Data, Partitions
from daybook.say import out, say


def migrate(data: Data = None, partitions: Partitions = None) -> None:
    """Create and check Kafka's topics, apply the migrations of PostgreSQL and ClickHouse; again changes nothing."""
    from daybook import migrating, settings

    count = migrating.migrate(settings.read(data=data, partitions=partitions), say)
    out(f"partitions {count}")


def worker(
    role: Annotated[
        Literal["streams", "postgres", "clickhouse", "redis", "all"],
        typer.Option("--role", help="streams folds events into days; the others write what came of it to their store."),
    ],
    data: Data = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Stable name in the consumer group, where several run on one machine.")
    ] = None,
) -> None:
    """Work in the foreground until SIGTERM or Ctrl-C, then finish what is under way."""
    from daybook import roles, settings

    roles.run(role, settings.read(data=data, worker_name=name))
