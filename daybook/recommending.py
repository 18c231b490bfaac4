"""Recommendations for people: what a user is shown, and why."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from daybook.settings import Settings
from schemas.affinity import LIST_SIZE, Recommendations, Suggestion, TasteRow
from schemas.trending import ALL
from sinks.postgres import affinity as postgres
from sinks.postgres.connect import as_writer
from sinks.postgres.trending import SELECT
from sinks.postgres.trending import row as trending_row
from streams.affinity.suggest import cold


def read(settings: Settings, user: str, region: str | None = None) -> tuple[Recommendations | None, TasteRow | None]:
    """A user's list and tastes as PostgreSQL has them; None for who is not known."""
    with psycopg.connect(as_writer(settings.address("postgres"))) as connection:
        found = connection.execute(f"{postgres.SELECT_RECOMMENDATIONS} WHERE user_id = %s", (user,)).fetchone()
        likes = connection.execute(f"{postgres.SELECT_TASTES} AND user_id = %s", (user,)).fetchone()
    return (
        None if found is None else postgres.recommendations_row(found),
        None if likes is None else postgres.tastes_row(likes),
    )


def for_anybody(settings: Settings, region: str | None) -> list[Suggestion]:
    """What somebody is shown of whom nothing is known: what trends in the region, then everywhere."""
    with psycopg.connect(as_writer(settings.address("postgres"))) as connection:
        query = f"{SELECT} WHERE kind = 'videos' AND time_window = '24h' AND region = ANY(%s)"
        lists = [trending_row(row) for row in connection.execute(query, ([region or ALL, ALL],)).fetchall()]
    shown = {row.region: [entry.id for entry in row.entries] for row in lists}
    return cold(shown, region, LIST_SIZE)


def why(entry: Suggestion) -> str:
    """The reason in words.

    >>> why(Suggestion("v2", 9, "together", together=9, because="v1", both=7))
    '7 users like it and v1'
    """
    trends = f"place {entry.place} of what trends {where(entry.region)}" if entry.place else ""
    match entry.reason:
        case "together":
            return f"{entry.both:,} users like it and {entry.because}"
        case "taste":
            return f"{trends}, and {entry.category or entry.creator} is liked"
    return trends


def where(region: str | None) -> str:
    """A region in words."""
    return "everywhere" if region in (None, ALL) else f"in {region}"


def points(score: int) -> str:
    """A score as it is shown, in thousands.

    >>> points(2_723_678)
    '2,723.7'
    """
    return f"{score / 1000:,.1f}"


def explained(entry: Suggestion, place: int, size: int) -> Iterator[str]:
    """All parts of an entry's score, line by line."""
    yield f"{entry.id}: place {place} of {size}"
    yield f"score     {points(entry.score)} = together + taste + trending"
    told = f", most from {entry.because}, which {entry.both:,} users like too" if entry.because else ""
    yield f"together  {points(entry.together)}{told}"
    liked = ", ".join(name for name in (entry.category, entry.creator) if name)
    yield f"taste     {points(entry.taste)}" + (f", {liked}" if liked else "")
    trends = f", place {entry.place} {where(entry.region)}" if entry.place else ", on no list"
    yield f"trending  {points(entry.trending)}{trends}"


def tasted(likes: TasteRow) -> Iterator[str]:
    """A user's strongest tastes, line by line."""
    for name in ("categories", "creators", "hashtags"):
        strongest = sorted(getattr(likes, name).items(), key=lambda taste: (-taste[1], taste[0]))[:5]
        yield f"{name:<11} " + (", ".join(f"{what} {weight / 1000:.2f}" for what, weight in strongest) or "none yet")
