"""`make nemesis SEED=n MINUTES=10 EVENTS=2000000`: events flow, everything is attacked, a judge looks at what is left.

stdout: the report as one JSON object. stderr: a line per fault, where it stands, and the report as a table.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faults_cluster import Cluster, cluster
from faults_feeder import Feeder
from faults_judge import judge
from faults_kinds import KINDS, Scene
from faults_nemesis import Nemesis, plan
from faults_report import keep, markdown, summary
from faults_watch import Watch

STATUS_EVERY_S = 15.0
DRAIN_WITHIN_S = 900.0


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(
    seed: int, seconds: float, events: int, *, every_s: float = 5.0, streams: int = 3, folder: Path | None = None
) -> dict[str, Any]:
    """One run on servers of its own; the report."""
    with cluster(streams, folder=folder) as under_attack:
        return attack(under_attack, seed, seconds, events, every_s=every_s, streams=streams)


def attack(
    c: Cluster,
    seed: int,
    seconds: float,
    events: int,
    *,
    every_s: float,
    streams: int,
    kinds: Sequence[str] = tuple(KINDS),
) -> dict[str, Any]:
    """The same on servers that run already; their workers are stopped at the end."""
    kafka, partitions = c.servers.address("kafka"), c.servers.partitions or 0
    watch = Watch(kafka, partitions)
    feeder = Feeder(kafka, events=events, seconds=0.97 * seconds, seed=seed, log=c.folder / "logs" / "feeder.log")
    began = time.monotonic()
    over = threading.Event()
    nemesis = Nemesis(Scene(c, watch, feeder), seed, say)
    status = threading.Thread(target=_status, args=(began, feeder, watch, nemesis, over), daemon=True)
    status.start()
    try:
        nemesis.run(plan(seed, 0.9 * seconds, every_s, kinds))
        feeder.order("hurry")
        sent = feeder.result(seconds + 300)
        attacked = time.monotonic() - began
        over.set()
        say(f"{attacked:6.1f} s  {len(nemesis.struck)} faults, {sent.counts.total():,} events sent; healing")
        c.heal()
        say(f"{time.monotonic() - began:6.1f} s  healed; draining")
        c.drain(DRAIN_WITHIN_S)
        drained = time.monotonic() - began
        say(f"{drained:6.1f} s  drained; judging")
        verdict = judge(c, [sent])
        for line in [*nemesis.failed, *c.refusals]:
            verdict.add(line)
        for name, code in c.stop_workers().items():
            if code:
                verdict.add(f"{name} ended with exit code {code} after SIGTERM")
    finally:
        over.set()
        feeder.kill()
        watch.close()
    return summary(
        seed,
        attacked,
        nemesis.struck,
        verdict,
        streams_workers=streams,
        drain_seconds=round(drained - attacked, 1),
        exits=dict(c.exits),
        each=[asdict(one) for one in nemesis.struck],
    )


def _status(began: float, feeder: Feeder, watch: Watch, nemesis: Nemesis, over: threading.Event) -> None:
    before = 0
    while not over.wait(STATUS_EVERY_S):
        folded = watch.folded
        rate = (folded - before) / STATUS_EVERY_S
        before = folded
        say(
            f"{time.monotonic() - began:6.1f} s  ... {feeder.sent:,} sent, {folded:,} folded, "
            f"{rate:,.0f} a second, {len(nemesis.struck)} faults over"
        )


def main() -> None:
    ask = argparse.ArgumentParser(prog="make nemesis", description=__doc__)
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--minutes", type=float, default=10.0)
    ask.add_argument("--events", type=int, default=2_000_000)
    ask.add_argument("--every", type=float, default=4.5, help="seconds between two faults, on average")
    ask.add_argument("--streams", type=int, default=3, help="streams workers")
    ask.add_argument("--folder", type=Path, help="keep data and logs there")
    ask.add_argument("--keep", type=Path, help="put the table into this page")
    args = ask.parse_args()
    say(f"seed {args.seed}: {args.events:,} events in {args.minutes:g} minutes, a fault every {args.every:g} s")
    report = run(
        args.seed, 60 * args.minutes, args.events, every_s=args.every, streams=args.streams, folder=args.folder
    )
    say("\n" + markdown(report) + "\n")
    for line in report["wrong"]:
        say(f"WRONG: {line}")
    if args.keep:
        keep(args.keep, report)
    print(json.dumps(report))
    sys.exit(0 if report["ok"] else 1)


if __name__ == "__main__":
    main()
