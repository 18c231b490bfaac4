"""The table and the chart of a run: medians with their spread, ratios to ours, and who was wrong by how much."""

from __future__ import annotations

import statistics
from typing import Any

from bench.peers.peers import PEERS


def table(result: dict[str, Any]) -> str:
    """Markdown. Figures of several rounds are median (least–most)."""
    runs: dict[str, list[dict[str, float]]] = result["peers"]
    columns = list(next(iter(runs.values()))[0]) if runs else []
    lines = ["| peer | " + " | ".join(columns) + " | ours is faster by |", "| --- " * (len(columns) + 2) + "|"]
    ours = _rate(runs.get("ours", []))
    for peer in PEERS:
        if peer.name in result["missing"]:
            lines.append(f"| {peer.title} | took no part: {result['missing'][peer.name]} |" + " |" * len(columns))
        elif peer.name in runs:
            cells = [_spread([run[column] for run in runs[peer.name]]) for column in columns]
            rate = _rate(runs[peer.name])
            lines.append(f"| {peer.title} | {' | '.join(cells)} | {f'{ours / rate:.2f} ×' if ours and rate else '–'} |")
    return "\n".join(lines)


def _rate(runs: list[dict[str, float]]) -> float:
    return statistics.median(run.get("events_per_second", 0) for run in runs) if runs else 0


def _spread(values: list[float]) -> str:
    middle = f"{statistics.median(values):,g}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,g}–{max(values):,g})"


def chart(result: dict[str, Any]) -> str:
    """An SVG of events a second per peer, with the spread as a line."""
    titles = {peer.name: peer.title for peer in PEERS}
    bars = [
        (titles[name], [run["events_per_second"] for run in runs]) for name, runs in result["peers"].items() if runs
    ]
    bars.sort(key=lambda bar: -statistics.median(bar[1]))
    top = max((max(values) for _, values in bars), default=1)
    height = 40 + 34 * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="13">',
        f'<text x="10" y="20">Events a second on one core, {result["users"]:,} users ({result["machine"]})</text>',
    ]
    for i, (title, values) in enumerate(bars):
        y, middle = 36 + 34 * i, statistics.median(values)
        width, low, high = (round(440 * v / top) for v in (middle, min(values), max(values)))
        fill = "#2f6f4f" if title == titles["ours"] else "#9aa5b1"
        parts.append(f'<text x="10" y="{y + 16}">{title}</text>')
        parts.append(f'<rect x="240" y="{y}" width="{width}" height="22" fill="{fill}"/>')
        parts.append(
            f'<line x1="{240 + low}" x2="{240 + high}" y1="{y + 11}" y2="{y + 11}" stroke="#111" stroke-width="2"/>'
        )
        parts.append(f'<text x="{248 + max(width, high)}" y="{y + 16}">{middle:,.0f}</text>')
    return "\n".join([*parts, "</svg>", ""])
