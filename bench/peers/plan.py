"""What is still to be measured, in which order, and what was; pure functions over the result that the file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

KEYS = {"rate": "events_per_second", "latency": "behind", "kill": "restart_s"}
"""What a round has once a figure of it was measured."""
_SAME = ("machine", "python", "pinned", "scale", "seed")


class Step(NamedTuple):
    """One figure of one peer under one load; rounds count from 0."""

    round: int
    load: str
    peer: str
    figure: str


def steps(
    result: Mapping[str, Any], loads: Sequence[str], peers: Sequence[str], figures: Sequence[str], rounds: int
) -> list[Step]:
    """What `result` lacks: peers in turn, round after round. Latency and kill -9 under the first load only."""
    wanted = [
        Step(number, load, peer, figure)
        for number in range(rounds)
        for load in loads
        for figure in figures
        if figure == "rate" or load == loads[0]
        for peer in peers
    ]
    return [step for step in wanted if KEYS[step.figure] not in _round(result, step)]


def _round(result: Mapping[str, Any], step: Step) -> Mapping[str, Any]:
    runs: Sequence[Mapping[str, Any]] = result["loads"].get(step.load, {"peers": {}})["peers"].get(step.peer, [])
    return runs[step.round] if step.round < len(runs) else {}


def add(result: Mapping[str, Any], step: Step, found: Mapping[str, Any]) -> None:
    """Put a step's figures where they belong."""
    runs: list[dict[str, Any]] = result["loads"][step.load]["peers"].setdefault(step.peer, [])
    while len(runs) <= step.round:
        runs.append({})
    runs[step.round].update(found)


def known(result: Mapping[str, Any], load: str, peer: str, key: str) -> Any:
    """The last round's figure by that name; None if no round has it."""
    runs: Sequence[Mapping[str, Any]] = result["loads"][load]["peers"].get(peer, [])
    return next((run[key] for run in reversed(runs) if run.get(key)), None)


def resumed(before: dict[str, Any], fresh: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The result to go on with. Figures of two machines or two scales are not mixed: SystemExit says so."""
    for key in _SAME:
        if before.get(key) != fresh[key]:
            raise SystemExit(
                f"bench: bench/results/{name} has {key} {before.get(key)!r}, this call {fresh[key]!r}: "
                "move it away, or call with the same"
            )
    return before
