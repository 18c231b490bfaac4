"""JSON as clients may write it, and bytes that are broken: for tests that hold compiled readers to Python's."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Change = tuple[float, int, int]
CHANGES: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 2), st.sampled_from(b'{}[]":,\\ \t\0019.-+eEtfn\xc3\xbc\xff')),
    max_size=3,
)


def broken(raw: bytes, changes: list[Change]) -> bytes:
    """With some bytes put in, another in place of one, or one left out."""
    for where, how, byte in changes:
        at = int(where * (len(raw) - 1))
        raw = raw[:at] + (bytes([byte]) if how < 2 else b"") + raw[at + (how > 0) :]
    return raw


def wild(value: Any, chance: random.Random) -> bytes:
    """Its names in any order, any spacing, and now and then a name twice."""
    return "".join(_written(value, chance)).encode("utf-8", "surrogatepass")


def _written(value: Any, chance: random.Random) -> Iterator[str]:
    space = chance.choice(["", "", "", " ", "\n\t"])
    if isinstance(value, dict):
        entries = list(value.items())
        if chance.random() < 0.5:
            chance.shuffle(entries)
        if entries and chance.random() < 0.03:
            entries.append(chance.choice(entries))
        yield "{" + space
        for i, (name, inner) in enumerate(entries):
            yield f"{',' if i else ''}{space}{json.dumps(name)}{space}:{space}"
            yield from _written(inner, chance)
        yield space + "}"
    elif isinstance(value, list):
        yield "[" + space
        for i, inner in enumerate(value):
            yield ("," if i else "") + space
            yield from _written(inner, chance)
        yield space + "]"
    elif isinstance(value, float) and chance.random() < 0.2:
        yield chance.choice([f"{value:e}", f"{value:.25f}", f"{value:.3f}", f"{value:.0f}"])
    else:
        yield json.dumps(value, ensure_ascii=chance.random() < 0.3) + space
