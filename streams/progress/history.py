"""All days of one user, packed: an array of days, an array of ends, one string of cells. No object a day."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator


class History:
    """Days in their order, each with its cell. Adding the newest day is cheap; others move what comes after."""

    __slots__ = ("_cells", "_ends", "days")

    def __init__(self) -> None:
        self.days = array("i")
        """Days that have a cell, ascending, in days since 1970-01-01."""
        self._ends = array("I")
        self._cells = bytearray()

    def __len__(self) -> int:
        return len(self.days)

    @property
    def nbytes(self) -> int:
        """Bytes of all that is packed."""
        return len(self._cells) + self.days.itemsize * len(self.days) + self._ends.itemsize * len(self._ends)

    def get(self, day: int) -> bytes | None:
        """The cell of a day."""
        at = bisect_left(self.days, day)
        return self._cell(at) if at < len(self.days) and self.days[at] == day else None

    def put(self, day: int, cell: bytes | None) -> bytes | None:
        """Replace the cell of a day; None takes the day out. Returns the one that it had."""
        days, ends, cells = self.days, self._ends, self._cells
        if not days or day > days[-1]:
            if cell is not None:
                days.append(day)
                cells += cell
                ends.append(len(cells))
            return None
        at = len(days) - 1 if day == days[-1] else bisect_left(days, day)
        is_there = days[at] == day
        start = ends[at - 1] if at else 0
        end = ends[at] if is_there else start
        old = bytes(cells[start:end]) if is_there else None
        if old == cell:
            return old
        cells[start:end] = cell or b""
        moved = len(cell or b"") - (end - start)
        if cell is None:
            del days[at], ends[at]
        elif not is_there:
            days.insert(at, day)
            ends.insert(at, end)
        if moved:
            for i in range(at, len(ends)):
                ends[i] += moved
        return old

    def around(self, day: int) -> tuple[int | None, int | None]:
        """The last day before that one and the first after it that have a cell."""
        at = bisect_left(self.days, day)
        after = at + 1 if at < len(self.days) and self.days[at] == day else at
        return self.days[at - 1] if at else None, self.days[after] if after < len(self.days) else None

    def between(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Days from `first` to `last`, both included, with their cells."""
        for at in range(bisect_left(self.days, first), len(self.days)):
            if self.days[at] > last:
                return
            yield self.days[at], self._cell(at)

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Every day with its cell."""
        for at, day in enumerate(self.days):
            yield day, self._cell(at)

    def _cell(self, at: int) -> bytes:
        return bytes(self._cells[self._ends[at - 1] if at else 0 : self._ends[at]])
