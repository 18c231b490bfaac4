"""What a run came to: for people while it goes, as JSON, and as the table that docs/guarantees.md keeps."""

from __future__ import annotations

import platform
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from faults_judge import COUNTS, Verdict
from faults_nemesis import Struck


def summary(seed: int, seconds: float, struck: Sequence[Struck], verdict: Verdict, **more: Any) -> dict[str, Any]:
    """The report as one JSON object."""
    by_kind: dict[str, list[Struck]] = defaultdict(list)
    for each in struck:
        by_kind[each.kind].append(each)
    return {
        "ok": verdict.mismatches == 0,
        "seed": seed,
        "seconds": round(seconds),
        "events": verdict.events,
        "unique_events": verdict.unique,
        "faults": len(struck),
        "mismatches": verdict.mismatches,
        "wrong": verdict.wrong,
        "days": verdict.days,
        "days_verified": verdict.verified_days,
        "kinds": {name: _kind(found) for name, found in sorted(by_kind.items())},
        "topics": verdict.topics,
        **more,
        "judge_seconds": {name: round(took, 1) for name, took in verdict.seconds.items()},
        "python": platform.python_version(),
    }


def _kind(found: Sequence[Struck]) -> dict[str, Any]:
    times = sorted(each.recovery_s for each in found if each.recovery_s is not None)
    figures = (times[0], median(times), times[-1]) if times else (None, None, None)
    names = ("recovery_min_s", "recovery_median_s", "recovery_max_s")
    return {"count": len(found)} | {
        name: None if value is None else round(value, 1) for name, value in zip(names, figures, strict=True)
    }


def markdown(report: dict[str, Any]) -> str:
    """The report as it is kept."""
    lines = [
        f"Seed {report['seed']}: {report['events']:,} events ({report['unique_events']:,} different ones), "
        f"{report['faults']} faults in {report['seconds']} s, {report['streams_workers']} streams workers, "
        f"**{report['mismatches']} mismatches** on {report['days']:,} days in three stores.",
        "",
        "| fault | times | again after: min | median | max |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, kind in report["kinds"].items():
        times = [kind[f"recovery_{which}_s"] for which in ("min", "median", "max")]
        lines.append(
            f"| {name} | {kind['count']} | " + " | ".join("–" if t is None else f"{t} s" for t in times) + " |"
        )
    lines += ["", f"| topic | {' | '.join(COUNTS)} |", f"| --- |{' ---: |' * len(COUNTS)}"]
    for topic, counts in report["topics"].items():
        lines.append(f"| {topic} | " + " | ".join(f"{counts[name]:,}" for name in COUNTS) + " |")
    return "\n".join(lines)


def keep(page: Path, report: dict[str, Any]) -> None:
    """Put the report into its place on a page: between the two marks of its seed, made if need be."""
    begin, end = f"<!-- nemesis {report['seed']} -->", f"<!-- /nemesis {report['seed']} -->"
    text = page.read_text(encoding="utf-8")
    block = f"{begin}\n{markdown(report)}\n{end}"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    text = found.sub(lambda _: block, text) if found.search(text) else f"{text.rstrip()}\n\n{block}\n"
    page.write_text(text, encoding="utf-8")
