"""The table and the chart of a run: medians with their spread, ratios to ours, and who was wrong by how much."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from bench.peers.peers import PEERS

Figures = Mapping[str, Any]
"""What one peer gave in one round; what was not measured is not in it."""


def table(result: Mapping[str, Any]) -> str:
    """Markdown, a table a load. Figures of several rounds are median (least–most)."""
    return "\n\n".join(
        "\n".join([f"**{name}: {load['users']:,} users**", "", *_rows(load, result["missing"])])
        for name, load in result["loads"].items()
    )


def _rows(load: Mapping[str, Any], missing: Mapping[str, str]) -> list[str]:
    found: Mapping[str, list[Figures]] = load["peers"]
    columns = [
        (title, cell) for title, keys, cell in COLUMNS if any(keys & f.keys() for r in found.values() for f in r)
    ]
    ours = middle(found.get("ours", []), "events_per_second")
    lines = [f"| peer | {' | '.join(title for title, _ in columns)} | we are faster by |"]
    lines.append("| --- " * (len(columns) + 2) + "|")
    for peer in PEERS:
        if peer.name in missing:
            lines.append(f"| {peer.title} | takes no part here: {missing[peer.name]} |" + " |" * len(columns))
        elif runs := found.get(peer.name):
            theirs = middle(runs, "events_per_second")
            ratio = f"{ours / theirs:.2f} ×" if ours and theirs and peer.name != "ours" else "–"
            lines.append(f"| {peer.title} | {' | '.join(cell(runs) for _, cell in columns)} | {ratio} |")
    return lines


def middle(runs: Sequence[Figures], key: str) -> float | None:
    """The median of the rounds that have it."""
    values = [run[key] for run in runs if run.get(key) is not None]
    return statistics.median(values) if values else None


def spread(key: str, digits: int = 0) -> Callable[[Sequence[Figures]], str]:
    """A cell: the median, and of several rounds the least and the most."""

    def cell(runs: Sequence[Figures]) -> str:
        values = [run[key] for run in runs if run.get(key) is not None]
        if not values:
            return "–"
        text = f"{statistics.median(values):,.{digits}f}"
        return text if len(values) == 1 else f"{text} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"

    return cell


def latency(runs: Sequence[Figures]) -> str:
    """A cell: both quantiles, or that the peer does not keep the pace."""
    asked = [run for run in runs if "behind" in run]
    if not asked:
        return "–"
    held = [run for run in asked if run["p50_ms"] is not None]
    if not held:
        return "does not keep up"
    text = f"{spread('p50_ms')(held)} / {spread('p99_ms')(held)}"
    return text if len(held) == len(asked) else f"{text}, did not keep up in {len(asked) - len(held)} of {len(asked)}"


def exact(key: str) -> Callable[[Sequence[Figures]], str]:
    """A cell: yes, or how many user-days were wrong in which round."""

    def cell(runs: Sequence[Figures]) -> str:
        asked = [run[key] for run in runs if run.get(key) is not None]
        if not asked:
            return "–"
        wrong = [f"{w[0]:,} user-days (meals: {w[1]:,} lost, {w[2]:,} twice)" for w in asked if w[0]]
        return "**no**: " + "; ".join(wrong) + f", in {len(wrong)} of {len(asked)}" if wrong else "yes"

    return cell


def restart(runs: Sequence[Figures]) -> str:
    """A cell: seconds from the start after kill -9 to the next row."""
    asked = [run for run in runs if run.get("wrong_after_kill") is not None]
    if asked and any(run["restart_s"] is None for run in asked):
        return "no row came"
    return spread("restart_s", 1)(runs)


COLUMNS: tuple[tuple[str, set[str], Callable[[Sequence[Figures]], str]], ...] = (
    ("events/s on one core", {"events_per_second"}, spread("events_per_second")),
    ("CPU s per million", {"cpu_s_per_million"}, spread("cpu_s_per_million", 1)),
    ("broker's", {"broker_cpu_s_per_million"}, spread("broker_cpu_s_per_million", 1)),
    ("peak MiB", {"peak_mib"}, spread("peak_mib")),
    ("rows an event", {"rows_per_event"}, spread("rows_per_event", 2)),
    ("rows right", {"wrong"}, exact("wrong")),
    ("p50 / p99 ms at 5,000/s", {"behind"}, latency),
    ("s to the next row after kill -9", {"restart_s"}, restart),
    ("right after kill -9", {"wrong_after_kill"}, exact("wrong_after_kill")),
)


def line(result: Mapping[str, Any]) -> dict[str, int]:
    """Median events a second of every peer under the first load."""
    found: Mapping[str, list[Figures]] = next(iter(result["loads"].values()))["peers"]
    return {
        name: round(rate) for name, runs in found.items() if (rate := middle(runs, "events_per_second")) is not None
    }


def chart(result: Mapping[str, Any]) -> str:
    """An SVG of events a second per peer, load by load, with the spread as a line."""
    titles = {peer.name: peer.title for peer in PEERS}
    parts: list[str] = []
    y = 24
    for name, load in result["loads"].items():
        bars = [
            (peer, rates)
            for peer, runs in load["peers"].items()
            if (rates := [run["events_per_second"] for run in runs if run.get("events_per_second")])
        ]
        bars.sort(key=lambda bar: -statistics.median(bar[1]))
        top = max((max(values) for _, values in bars), default=1)
        parts.append(
            f'<text x="10" y="{y}" font-weight="bold">{name}: {load["users"]:,} users, events/s on one core</text>'
        )
        for peer, values in bars:
            y += 32
            mid = statistics.median(values)
            width, low, high = (round(420 * v / top) for v in (mid, min(values), max(values)))
            fill = "#2f6f4f" if peer == "ours" else "#9aa5b1"
            parts.append(f'<text x="10" y="{y}">{escape(titles.get(peer, peer))}</text>')
            parts.append(f'<rect x="290" y="{y - 16}" width="{width}" height="22" fill="{fill}"/>')
            if len(values) > 1:
                span = f'x1="{290 + low}" x2="{290 + high}" y1="{y - 5}" y2="{y - 5}"'
                parts.append(f'<line {span} stroke="#111" stroke-width="2"/>')
            parts.append(f'<text x="{298 + max(width, high)}" y="{y}">{mid:,.0f}</text>')
        y += 40
    rounds = max((len(runs) for load in result["loads"].values() for runs in load["peers"].values()), default=0)
    foot = f"{result['machine']}; {result['date']}; rounds: {rounds}"
    parts.append(f'<text x="10" y="{y}" fill="#555">{escape(foot)}</text>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {y + 14}" font-family="sans-serif" font-size="13">'
    )
    return "\n".join([head, f'<rect width="800" height="{y + 14}" fill="#fff"/>', *parts, "</svg>", ""])
