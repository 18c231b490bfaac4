"""The reference sink: what every store promises, in its smallest true form. Tests and laws use it."""

from __future__ import annotations

from collections.abc import Mapping

from schemas import tables, topics
from schemas.affinity import Recommendations, TasteRow
from schemas.progress import ProgressRow
from schemas.rows import DailyRow, RejectedRow, ReplayedRow
from schemas.trending import TrendingList
from sinks.batch import Batch, BlockRow, EntityRow, EventRow, Place, PositionRow
from sinks.chunking import each_replay, latest, newest_daily, newest_lists, newest_of_users, winners
from sinks.days import as_of_day, day_of


class MemorySink:
    """Keeps everything in dicts."""

    role = "memory"
    topics = tuple(topic.name for topic in (*topics.SOURCES, topics.LEDGER, topics.DAILY, topics.REJECTED))
    tables = tables.TABLES
    rows_per_write = 5_000
    linger_s = 0.0

    def __init__(self) -> None:
        self.daily: dict[tuple[str, str], DailyRow] = {}
        self.progress: dict[str, ProgressRow] = {}
        self.trending: dict[tuple[str, str, str], TrendingList] = {}
        self.blocks: dict[tuple[str, str, int, bool], BlockRow] = {}
        self.tastes: dict[str, TasteRow] = {}
        self.recommendations: dict[str, Recommendations] = {}
        self.rejected: dict[tuple[str, int, int], RejectedRow] = {}
        self.replayed: list[ReplayedRow] = []
        self.events: dict[tuple[str, int, int], EventRow] = {}
        self.entities: dict[tuple[str, str, str, str | None], EntityRow] = {}
        self.positions: dict[Place, PositionRow] = {}

    async def open(self) -> None:
        """Memory is always there."""

    async def write(self, batch: Batch) -> None:
        for row in batch.daily:
            day_of(row)
        for each in batch.progress:
            as_of_day(each)
        self.daily |= {(r.user_id, r.date): r for r in newest_daily([*self.daily.values(), *batch.daily])}
        self.progress |= {r.user_id: r for r in newest_of_users([*self.progress.values(), *batch.progress])}
        lists = newest_lists([*self.trending.values(), *batch.trending])
        self.trending |= {(r.kind, r.region, r.window): r for r in lists}
        said = {(r.block.kind, r.block.id, r.block.at_ms, r.block.blocked): r for r in batch.blocks}
        self.blocks = said | self.blocks
        likes = newest_of_users([*self.tastes.values(), *batch.tastes])
        self.tastes |= {row.user_id: row for row in likes}
        lists_of = newest_of_users([*self.recommendations.values(), *batch.recommendations])
        self.recommendations |= {row.user_id: row for row in lists_of}
        self.rejected |= {(r.topic, r.partition, r.offset): r for r in batch.rejected}
        self.replayed = each_replay([*self.replayed, *batch.replayed])
        self.events |= {(r.topic, r.partition, r.offset): r for r in batch.events}
        self.entities |= {r[:4]: r for r in winners([*self.entities.values(), *batch.entities])}
        self.positions |= {(r.topic, r.partition): r for r in latest([*self.positions.values(), *batch.positions])}

    async def resume(self, committed: Mapping[Place, int]) -> Mapping[Place, int]:
        return committed

    async def close(self) -> None:
        """Nothing is held."""
