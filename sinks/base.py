"""The promise that every store makes to the consumer loop, and the family of its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.tables import Table
    from sinks.batch import Batch, Place


class SinkError(Exception):
    """Everything that a sink raises on purpose, named for what the caller does next.

    ├── Retry      the store is away or busy, or the outcome is unknown: write the same batch again, later
    ├── Refused    the store will never take this data: set the row aside loudly, write the others
    ├── Behind     the store has lost what it held: read again, from where `resume` says
    └── Stop       it can never work, or going on would lose data: end the process with this line
        └── Refusal    starting again changes nothing until somebody does what the line says
    """


class Retry(SinkError):
    """The same batch, later."""


class Refused(SinkError):
    """Something in this batch is not for this store, ever; nothing of the batch is stored."""


class Behind(SinkError):
    """The store holds less than it did (emptied, restored): ask `resume` again and read from there."""


class Stop(SinkError):
    """End the process with this one line."""

    exit_code = 1


class Refusal(Stop):
    """End the process; whoever supervises it must not start it again (EX_CONFIG, as the streams' workers say it)."""

    exit_code = 78


class Sink(Protocol):
    """One store. `sinks.memory` is the smallest true implementation.

    Not promised: that one sink object may be used by two tasks at once.
    """

    @property
    def role(self) -> str:
        """Name of the worker role, of the consumer group and of the store."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What it consumes."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """What it keeps."""

    @property
    def rows_per_write(self) -> int:
        """Records that one write takes at best; a batch may hold somewhat more or far fewer."""

    @property
    def linger_s(self) -> float:
        """Shortest time between two writes under load; an idle store is written to at once."""

    async def open(self) -> None:
        """Connect and look whether the store is fit for use. Raises Retry (not reachable) or Stop."""

    async def write(self, batch: Batch) -> None:
        """Return once every row is stored, and `batch.through` with them where the store keeps positions.

        Writing the same rows twice changes nothing, an older version never overwrites a newer one, and the order
        between batches does not matter. If it raises, write the same batch again (Retry) or parts of it (Refused):
        no harm is done by what may have been stored. A batch without rows is allowed.
        """

    async def resume(self, committed: Mapping[Place, int]) -> Mapping[Place, int]:
        """Where reading must go on for this store's sake: at most what the consumer group has committed (0: nothing).

        Called with all partitions of every new assignment, and again after Behind.
        """

    async def close(self) -> None:
        """Let go of connections; a closed sink may be opened again."""
