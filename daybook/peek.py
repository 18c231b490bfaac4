"""The version of a day's row, or of progress, in each store, rows of nulls included: hints must beat it, and canaries
wait for it."""

from __future__ import annotations

from daybook.connected import Connected
from daybook.settings import Settings
from schemas.metrics import SINK_ROLES
from schemas.tables import DAILY, PROGRESS
from sinks.redis.encode import key as redis_key
from sinks.redis.encode import progress_key

_POSTGRES = f"SELECT max(version) FROM {DAILY.postgres} WHERE user_id = %s AND date = %s"
_CLICKHOUSE = f"SELECT max(version) FROM {DAILY.clickhouse} WHERE user_id = {{user:String}} AND date = {{day:Date}}"
_POSTGRES_PROGRESS = f"SELECT max(version) FROM {PROGRESS.postgres} WHERE user_id = %s"
_CLICKHOUSE_PROGRESS = f"SELECT max(version) FROM {PROGRESS.clickhouse} WHERE user_id = {{user:String}}"


class Peek(Connected):
    """Versions, store by store; not shared between threads."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, decode_responses=True, socket_timeout=10)

    def version(self, store: str, user: str, day: str) -> int:
        """What one store holds; 0 for nothing, or for something that is no version."""
        match store:
            case "postgres":
                found = self._postgres.execute(_POSTGRES.encode(), (user, day)).fetchone()
                return int(found[0] or 0) if found else 0
            case "clickhouse":
                asked = self._clickhouse.query(_CLICKHOUSE, parameters={"user": user, "day": day})
                return int(asked.result_rows[0][0])
            case _:
                return self._in_redis(redis_key(user, day))

    def highest(self, user: str, day: str) -> int:
        """The highest version that any store holds."""
        return max(self.version(store, user, day) for store in SINK_ROLES)

    def highest_progress(self, user: str) -> int:
        """The highest version of a user's progress that any store holds."""
        found = self._postgres.execute(_POSTGRES_PROGRESS.encode(), (user,)).fetchone()
        asked = self._clickhouse.query(_CLICKHOUSE_PROGRESS, parameters={"user": user})
        held = int(found[0] or 0) if found else 0
        return max(held, int(asked.result_rows[0][0]), self._in_redis(progress_key(user)))

    def _in_redis(self, key: str) -> int:
        text = self._redis.hget(key, "version")
        return int(str(text)) if text is not None and str(text).isdecimal() else 0
