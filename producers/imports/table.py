"""CSV as apps write it: comma, semicolon or tab, quoted newlines, a byte-order mark, units in the names of columns.

A quote that never closes would swallow the rest of the file: its row is bad, and reading goes on with the next line.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Collection, Iterator
from typing import BinaryIO, NamedTuple

from producers.imports.outcome import Bad, ImportProblem

MOST_LINES = 200
"""How many lines one row may take: a workout's notes, not half a file behind a lost quote."""
_NAMED = re.compile(r"(.*?)\s*(?:\(([^)]*)\))?", re.DOTALL)


class Row(NamedTuple):
    """One row."""

    line: int
    """Where it begins, from 1."""
    cells: dict[str, str]
    """Column in lower case, without its unit → text without spaces around it; columns without a cell are empty."""

    @property
    def place(self) -> str:
        return f"line {self.line}"


class Table:
    """A CSV file: its columns at once, its rows as they are read.

    Raises ImportProblem (`what` says which export was expected) if a required column is missing.
    """

    def __init__(self, stream: BinaryIO, name: str, what: str, required: Collection[str]) -> None:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        self._lines = _Lines(text)
        head = next(self._lines, "")
        self._delimiter = max(",;\t", key=_outside_quotes(head).count)
        named = [_NAMED.fullmatch(cell.strip()) for cell in next(csv.reader([head], delimiter=self._delimiter), [])]
        self.columns: list[str] = [found[1].lower() if found else "" for found in named]
        self.units: dict[str, str] = {
            found[1].lower(): found[2].strip().lower() for found in named if found and found[2]
        }
        """Column → the unit in its name, in lower case."""
        missing = [column for column in required if column not in self.columns]
        if missing:
            raise ImportProblem(f"{name}: is no {what}: no column {', '.join(missing)} in its first line")

    def rows(self) -> Iterator[Row | Bad]:
        """Its rows; blank ones have no text in any cell."""
        while True:
            self._lines.begin()
            line = self._lines.number + 1
            try:
                cells = next(csv.reader(self._lines, delimiter=self._delimiter))
            except StopIteration:
                return
            except csv.Error as why:
                yield Bad(f"line {line}", str(why))
                self._lines.back_to_second()
                continue
            if self._lines.swallowed():
                yield Bad(f"line {line}", "a quote opens here and does not close")
                self._lines.back_to_second()
            elif len(cells) > len(self.columns):
                yield Bad(f"line {line}", f"Expected {len(self.columns)} cells, got {len(cells)}")
            else:
                texts = (cell.strip() for cell in cells)
                yield Row(line, dict.fromkeys(self.columns, "") | dict(zip(self.columns, texts, strict=False)))


class _Lines:
    """Lines of a text, some of which can be given back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self.number = 0
        """Of the last line given out."""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self._taken) > MOST_LINES:
            raise StopIteration
        line = self._again.popleft() if self._again else self._text.readline()
        if not line:
            raise StopIteration
        self.number += 1
        self._taken.append(line)
        return line

    def begin(self) -> None:
        """A new row begins with the next line."""
        self._taken = []

    def swallowed(self) -> bool:
        """Whether the row ended for lack of lines, not because it was complete."""
        return len(self._taken) > 1 and "".join(self._taken).count('"') % 2 == 1

    def back_to_second(self) -> None:
        """Give back all lines of this row but its first."""
        self._again.extendleft(reversed(self._taken[1:]))
        self.number -= len(self._taken) - 1
        self._taken = self._taken[:1]


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])
