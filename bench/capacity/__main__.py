"""`python -m bench.capacity`: what 1 M and 100 M users need, as docs/capacity.md shows it, from measured.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.capacity.needs import Assumed, needs

MEASURED = Path(__file__).with_name("measured.json")
USERS = (1_000_000, 100_000_000)


def measured() -> dict[str, dict[str, Any]]:
    """Name → value, unit, the command that printed it, and where."""
    found: dict[str, dict[str, Any]] = json.loads(MEASURED.read_text())
    return found


def page(inputs: Mapping[str, Mapping[str, Any]]) -> str:
    """The two tables."""
    lines = ["| measured | value | printed by |", "| --- | --- | --- |"]
    lines += [f"| {one['what']} | {one['value']:,} {one['unit']} | {one['command']} |" for one in inputs.values()]
    assumed = Assumed()
    told = ", ".join(f"{each.name} {getattr(assumed, each.name):,}" for each in fields(assumed))
    lines += ["", f"Assumed: {told}.", ""]
    columns = [needs(users, {name: one["value"] for name, one in inputs.items()}, assumed) for users in USERS]
    lines.append(f"| need | {' | '.join(f'{users:,} users' for users in USERS)} | how |")
    lines.append("| --- " * (len(USERS) + 2) + "|")
    for rows in zip(*columns, strict=True):
        amounts = " | ".join(f"{amount(row.amount)} {row.unit}" for row in rows)
        lines.append(f"| {rows[0].what} | {amounts} | {rows[0].sum} |")
    return "\n".join(lines)


def amount(value: float) -> str:
    """Two digits that count.

    >>> [amount(v) for v in (0.0123, 1.26, 97.4, 14_583.0)]
    ['0.012', '1.3', '97', '15,000']
    """
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


if __name__ == "__main__":
    print(page(measured()))
