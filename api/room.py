"""How many bytes of bodies all requests may hold at a time, so that no crowd of clients takes the machine's memory."""

from __future__ import annotations

from api.problems import unavailable


class Room:
    """Bytes taken and given back; one event loop uses it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0
        """Bytes held now."""

    def take(self, size: int) -> None:
        """Raises Problem 503 if there is no room; then nothing was taken."""
        if self.taken + size > self._most:
            raise unavailable("too many bodies are under way; send the same again", 1)
        self.taken += size

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self.taken -= size
