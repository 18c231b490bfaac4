"""rejected list, show, replay, allow: what was refused, and what becomes of it."""

from __future__ import annotations

from typing import Annotated

import typer

from daybook.options import Data
from daybook.say import out, say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What was refused, why, and what becomes of it.")


@app.command()
def allow(
    partition: Annotated[str, typer.Argument(metavar="TOPIC/PARTITION", help="As the worker that stopped named it.")],
    data: Data = None,
    through: Annotated[
        int | None,
        typer.Option("--through", min=0, help="Last offset that may be refused [default: what lies there now]"),
    ] = None,
) -> None:
    """Let a worker go on that stopped because too much was refused.

    The events that lie in the partition now are judged as always, and may all be refused: they go to the topic
    rejected, from where they can be replayed. What comes later is under the limit again.
    """
    from daybook import allowance, settings

    place = allowance.place(partition)
    found = allowance.allow(settings.read(data=data).address("kafka"), place, through)
    out(f"{found.topic}/{found.partition} {found.offset}")
    say(
        f"{found.topic}/{found.partition}: refusals before offset {found.offset} stop no worker; start it again: "
        "daybook up --detach (or your own way)"
    )
