"""rejected list, show, replay, allow: what was refused, why, and what becomes of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from daybook.options import Data
from daybook.say import out, say

if TYPE_CHECKING:
    from daybook.rejects import Count, Refusal, Selection

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What was refused, why, and what becomes of it.")

Topic = Annotated[str | None, typer.Option("--topic", help="Of this topic only.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="WORDS", help="Whose reason holds these words.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Received since: 2026-03-01T12:00 (UTC), or 6h, 2d ago.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Received before that.")]
_MOST_COUNTS = 20
_READABLE = 160


def _selection(
    places: list[str],
    topic: str | None = None,
    reason: str | None = None,
    since: str | None = None,
    until: str | None = None,
    replayed: bool | None = None,
) -> Selection:
    from daybook.rejects import Place, Selection, moment

    now = datetime.now(UTC)
    return Selection(
        places=tuple(map(Place.of, places)),
        topic=topic,
        reason=reason,
        since=None if since is None else moment(since, now),
        until=None if until is None else moment(until, now),
        replayed=replayed,
    )


@app.command("list")
def list_(
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    replayed: Annotated[
        bool | None, typer.Option("--replayed/--not-replayed", help="Only those that were, or were not, sent again.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many of the newest are shown.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: Data = None,
) -> None:
    """Count refused events by topic and reason, and show the newest, one a line."""
    from daybook import rejects, settings

    selection = _selection([], topic, reason, since, until, replayed)
    with rejects.opened(settings.read(data=data).address("postgres")) as refusals:
        counts, newest = refusals.counts(selection), refusals.newest(selection, limit)
    if as_json:
        shown = [count._asdict() for count in counts]
        out(json.dumps({"counts": shown, "rejected": [_fields(refusal) for refusal in newest]}))
        return
    _say_counts(counts)
    for refusal in newest:
        out(_line(refusal))
    total = sum(count.refused for count in counts)
    if total > len(newest):
        say(f"the newest {len(newest):,} of {total:,}; more: --limit")


def _say_counts(counts: list[Count]) -> None:
    say(f"{'REFUSED':>9} {'REPLAYED':>9} {'TOPIC':<10} REASON AND PATH")
    for count in counts[:_MOST_COUNTS]:
        what = _printable(f"{count.reason} at {count.path}", _READABLE)
        say(f"{count.refused:>9,} {count.replayed:>9,} {count.topic:<10} {what}")
    if len(counts) > _MOST_COUNTS:
        rest = counts[_MOST_COUNTS:]
        refused, sent = sum(count.refused for count in rest), sum(count.replayed for count in rest)
        say(f"{refused:>9,} {sent:>9,} {'':<10} for {len(rest):,} other reasons")
    if not counts:
        say(f"{0:>9} {0:>9} {'':<10} nothing was refused")


def _line(refusal: Refusal) -> str:
    row, replay = refusal.row, refusal.replay
    what = f"{refusal.place} {_time(refusal.received_at)} {_printable(f'{row.reason} at {row.path}', _READABLE)}"
    if replay is None:
        return what
    again = ", refused again there" if replay.refused is not None else ""
    return f"{what} [replayed {_time(replay.at)} as {replay.to}{again}]"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def _printable(text: str, most: int | None = None) -> str:
    """Without signs that a terminal would obey: clients write what is shown here."""
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    return shown if most is None or len(shown) <= most else f"{shown[: most - 1]}…"


def _fields(refusal: Refusal) -> dict[str, object]:
    """A refusal as JSON; `raw` is for reading, `raw_base64` is exact."""
    from base64 import b64encode

    from daybook.rejects import at

    row, replay = refusal.row, refusal.replay
    return {
        "id": str(refusal.place),
        **{"topic": row.topic, "partition": row.partition, "offset": row.offset},
        "received_at": _time(refusal.received_at),
        "first_received_at": None if row.original_ms is None else _time(at(row.original_ms)),
        **{"reason": row.reason, "path": row.path},
        "key": None if row.key is None else row.key.decode(errors="backslashreplace"),
        "raw": None if row.raw is None else row.raw.decode(errors="backslashreplace"),
        "raw_base64": None if row.raw is None else b64encode(row.raw).decode(),
        "replayed_at": None if replay is None else _time(replay.at),
        "replayed_as": None if replay is None else str(replay.to),
        "refused_again": None if replay is None or replay.refused is None else replay.refused.reason,
    }


Id = Annotated[str, typer.Argument(metavar="TOPIC/PARTITION@OFFSET", help="As list prints it.")]


@app.command()
def show(
    id: Id,
    raw: Annotated[bool, typer.Option("--raw", help="Print the bytes as they came, and nothing else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: Data = None,
) -> None:
    """Show one refused event: its bytes, why and where it was refused, and what became of it."""
    from daybook import fate, rejects, settings
    from daybook.errors import Problem
    from schemas.codec import MAX_EVENT_BYTES

    found = settings.read(data=data)
    with rejects.opened(found.address("postgres")) as refusals:
        selected = refusals.newest(_selection([id]), 1)
    if not selected:
        raise Problem(f"{id} was not refused, or PostgreSQL does not hold it yet (daybook wait)")
    [refusal] = selected
    row = refusal.row
    if raw:
        sys.stdout.buffer.write(row.raw or b"")
        return
    if as_json:
        out(json.dumps(_fields(refusal)))
        return
    out(f"place     {refusal.place}")
    out(f"received  {_time(refusal.received_at)}")
    if row.original_ms is not None:
        out(f"first     {_time(rejects.at(row.original_ms))} (it is a replay)")
    out(f"reason    {_printable(row.reason)}")
    out(f"path      {_printable(row.path)}")
    out(f"key       {_bytes(row.key)}")
    out(f"fate      {_printable(fate.told(found.address('kafka'), refusal.replay))}")
    out(f"raw       {'none' if row.raw is None else f'{len(row.raw):,} bytes'}")
    if row.raw is not None and len(row.raw) == MAX_EVENT_BYTES:
        say(f"cut off here; the whole lies at {refusal.place} as long as Kafka keeps it")
    for line in _readable(row.raw):
        out(f"  {line}")


def _bytes(key: bytes | None) -> str:
    return "none" if key is None else _printable(key.decode(errors="backslashreplace"))


def _readable(raw: bytes | None) -> list[str]:
    """JSON indented, anything else as text with escapes."""
    if raw is None:
        return []
    try:
        text = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = raw.decode(errors="backslashreplace")
    return [_printable(line) for line in text.split("\n")]


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[TOPIC/PARTITION@OFFSET]...", help="These only.")] = None,
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="All that was refused.")] = False,
    rekey: Annotated[
        bool,
        typer.Option("--rekey", help="Send what had a wrong key under its subject: you trust who sent it."),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that were sent again before.")] = False,
    really: Annotated[bool, typer.Option("--send", help="Send them. Without it nothing is sent.")] = False,
    data: Data = None,
) -> None:
    """Judge refused events by the schemas of today; with --send, send those that hold back to their topic.

    One line each says what became of it. An event that was sent twice counts once. Exits 1 if any is still refused.
    """
    from daybook import rejects, replaying, settings
    from daybook.errors import Misuse
    from schemas.codec import Rejected

    selection = _selection(ids or [], topic, reason, since, until, None if again else False)
    if selection.is_everything and not everything:
        raise Misuse("say which events: by place, --topic, --reason, --since, --until, or --all")
    found = settings.read(data=data)
    kafka = found.address("kafka") if really else ""
    refused = fit = 0
    missing = set(selection.places)

    def fitting(refusals: rejects.Refusals) -> Iterator[replaying.Resend]:
        nonlocal refused, fit
        for refusal in refusals.oldest_first(selection):
            missing.discard(refusal.place)
            judged = replaying.judge(refusal, rekey=rekey)
            if isinstance(judged, Rejected):
                refused += 1
                out(_printable(f"{refusal.place}: still refused: {judged.reason} at {judged.path}"))
                continue
            fit += 1
            if not really:
                out(f"{refusal.place}: fit to be sent")
            yield judged

    with rejects.opened(found.address("postgres")) as refusals:
        if really:
            _say_if_behind(kafka)
            for sent in replaying.send(kafka, fitting(refusals)):
                out(f"{sent.refusal.place}: sent as {sent.to}")
            say(f"{fit:,} sent, {refused:,} still refused")
        else:
            for _ in fitting(refusals):
                pass
            say(f"{fit:,} fit, {refused:,} still refused; nothing was sent: --send does it")
    for place in sorted(missing):
        say(f"{place}: left out: it was not refused, or was sent again before (--again)")
    if refused:
        raise typer.Exit(1)


def _say_if_behind(kafka: str) -> None:
    from daybook import fate

    if fate.is_behind(kafka):
        say("PostgreSQL's sink is behind: what was replayed lately may be sent again (it counts once)")


@app.command()
def allow(
    partition: Annotated[str, typer.Argument(metavar="TOPIC/PARTITION", help="As the worker that stopped named it.")],
    through: Annotated[
        int | None,
        typer.Option("--through", min=0, help="Last offset that may be refused [default: the last there is]"),
    ] = None,
    data: Data = None,
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
