"""From scores to a list: highest first, not too many of one creator, without what is blocked. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from schemas.trending import LIST_SIZE


class Place(NamedTuple):
    """One place on a list: the item, and how many videos of its creator the cap kept off."""

    item: str
    left_out: int


def ranked(
    scores: Mapping[str, int],
    *,
    blocked: Container[str],
    creator_of: Callable[[str], str | None] | None,
    per_creator: int,
    size: int | None = None,
) -> list[Place]:
    """The best, equals by name. `creator_of`: None where nothing is capped. Left out: as far down as the list reaches.

    >>> ranked({"a": 3, "b": 5, "c": 4}, blocked={"c"}, creator_of=lambda item: "x", per_creator=1)
    [Place(item='b', left_out=1)]
    """
    size = LIST_SIZE if size is None else size
    if creator_of is None:
        free = (item for item in _from_the_best(scores) if item not in blocked)
        return [Place(item, 0) for item in islice(free, size)]
    taken: list[str] = []
    of_creator: Counter[str] = Counter()
    for item in _from_the_best(scores):
        if item in blocked:
            continue
        creator = creator_of(item)
        if creator is not None:
            of_creator[creator] += 1
            if of_creator[creator] > per_creator:
                continue
        taken.append(item)
        if len(taken) == size:
            break
    return [Place(item, _left_out(item, creator_of, of_creator, per_creator)) for item in taken]


def _from_the_best(scores: Mapping[str, int]) -> Iterable[str]:
    return sorted(sorted(scores), key=scores.__getitem__, reverse=True)  # equals stay as they were: by name


def _left_out(item: str, creator_of: Callable[[str], str | None], of_creator: Counter[str], per_creator: int) -> int:
    creator = creator_of(item)
    return max(0, of_creator[creator] - per_creator) if creator is not None else 0
