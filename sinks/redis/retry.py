"""What to do after an error of Redis: pure, from its class and the word that its text begins with."""

from __future__ import annotations

from redis import exceptions as redis

from sinks.base import Refused, Retry, SinkError, Stop

_REFUSED = ("WRONGTYPE",)
_RETRY = ("OOM", "MISCONF", "LOADING", "READONLY", "BUSY", "MASTERDOWN", "NOREPLICAS")
_AWAY = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.OutOfMemoryError,
    redis.ReadOnlyError,
    redis.TryAgainError,
    redis.ClusterDownError,
    OSError,
)
_HOPELESS = (redis.AuthenticationError, redis.AuthorizationError, redis.NoPermissionError)


def judge(why: Exception, where: str) -> SinkError:
    """The sink's error for one of redis-py's or of the operating system; `where` names the server."""
    text = " ".join(str(why).split()) or type(why).__name__
    if isinstance(why, _HOPELESS):
        return Stop(f"{where}: {text}")
    if any(word in text for word in _REFUSED):
        return Refused(f"{where}: {text}")
    if isinstance(why, _AWAY) or any(word in text for word in _RETRY):
        return Retry(f"{where}: {text}")
    return Stop(f"{where}: {text}")
