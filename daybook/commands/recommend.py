"""recommend: what a user may like and has not seen, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from daybook.options import Data
from daybook.say import out, say


def recommend(
    user: Annotated[str, typer.Argument(metavar="SUBJECT")],
    item: Annotated[str | None, typer.Argument(metavar="[ID]", help="All parts of one entry's score.")] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Of somebody of whom nothing is known: an ISO code, such as DE.")
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, max=50, help="How many places.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: Data = None,
) -> None:
    """Print what a user may like and has not seen: place, id, score, reason.

    Of whom nothing is known gets what trends. Exits 1 if ID is not on the list.
    """
    import msgspec

    from daybook import recommending, settings
    from daybook.errors import Problem

    read = settings.read(data=data)
    row, likes = recommending.read(read, user)
    entries = row.entries if row is not None else recommending.for_anybody(read, region)
    if as_json:
        shown = {"user_id": user, "known": row is not None, "tastes": likes, "entries": entries[:count]}
        out(msgspec.json.encode(shown).decode())
        return
    if item is not None:
        found = [(place, entry) for place, entry in enumerate(entries, 1) if entry.id == item]
        if not found:
            raise Problem(f"{item} is not recommended to {user}")
        for line in recommending.explained(found[0][1], found[0][0], len(entries)):
            out(line)
        return
    if row is None:
        say(f"nothing is known of {user}: what trends {recommending.where(region)}")
    for line in recommending.tasted(likes) if likes is not None else ():
        say(line)
    if not entries:
        say("nothing to recommend yet")
        return
    say(f"{'':>3}  {'ID':<32} {'SCORE':>12}  WHY")
    for place, entry in enumerate(entries[:count], 1):
        out(f"{place:>3}  {entry.id:<32} {recommending.points(entry.score):>12}  {recommending.why(entry)}")
