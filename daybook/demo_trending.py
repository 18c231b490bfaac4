"""The demo's other half: an hour of a made-up audience's views, then a video that nobody knew; how the list moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from daybook import sinking, trending, waiting
from daybook.chart import bar
from daybook.settings import Settings
from producers import audience
from producers.publish import publish
from schemas.trending import TrendingList

VIEWS = 2_000
FANS = 150
SURPRISE = "v00059"
"""The least popular of the catalogue."""
SHOWN = 5
_CATALOGUE = 60
_HOUR_MS = 3_600_000
_TIMEOUT_S = 60.0
_WIDTH = 24


@dataclass(slots=True)
class Moved:
    """The list of videos, everywhere, of the last hour: before and after."""

    before: TrendingList
    after: TrendingList
    seconds: float
    """From the first view of the surprise to the list in every store."""

    @property
    def is_right(self) -> bool:
        """Whether the surprise leads, and was not on the list's top before."""
        before, after = ([entry.id for entry in row.entries[:SHOWN]] for row in (self.before, self.after))
        return after[:1] == [SURPRISE] and SURPRISE not in before

    def lines(self) -> Iterator[str]:
        """The list as it is now, and where each place came from."""
        was = {entry.id: place for place, entry in enumerate(self.before.entries, 1)}
        best = max((entry.score for entry in self.after.entries), default=0)
        for place, entry in enumerate(self.after.entries[:SHOWN], 1):
            before = was.get(entry.id)
            moved = (
                "new"
                if before is None
                else "="
                if before == place
                else f"{'▲' if before > place else '▼'} from {before}"
            )
            yield (
                f"{place}  {entry.id}  {entry.score / 1000:>9,.1f}  {entry.views:>4} viewers  "
                f"{bar(entry.score, best, _WIDTH):<{_WIDTH}}  {moved}"
            )


def an_hour(settings: Settings) -> int:
    """Publish an hour of views, the last of them just now; returns how many events that were."""
    start = int(time.time() * 1000) - _HOUR_MS
    hour = audience.events(users=400, views=VIEWS, start_ms=start, span_ms=_HOUR_MS, catalogue=_CATALOGUE)
    return publish(settings.address("kafka"), hour).events


def a_surprise(settings: Settings) -> Moved:
    """Let the fans come, and wait for the list that shows it. All before must be visible."""
    before = _the_list(settings)
    began = time.monotonic()
    kafka = settings.address("kafka")
    publish(kafka, audience.fans(SURPRISE, FANS, int(time.time() * 1000), catalogue=_CATALOGUE))
    waiting.until_visible(kafka, list(sinking.groups().values()), _TIMEOUT_S)
    return Moved(before, _the_list(settings), time.monotonic() - began)


def _the_list(settings: Settings) -> TrendingList:
    return trending.read_list(settings, "videos", "all", "1h") or TrendingList("videos", "all", "1h", 0, 0)
