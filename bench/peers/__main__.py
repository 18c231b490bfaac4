"""`make bench` and `make bench-quick`: every peer, several times, in turns, on one core; a table and a file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from bench.daily.__main__ import machine
from bench.peers import job, latency, measure, plan, report
from bench.peers.install import Missing
from bench.peers.loads import Loads
from bench.peers.peers import BY_NAME, GROUP, PEERS, QUICK, Peer

RESULTS = Path(__file__).parents[1] / "results"
FIGURES = ("rate", "latency", "kill")
KILL_AT = 0.4
"""Share of the rows of the run before at which a peer is killed."""
STEP_S = 40.0
"""What one figure of one peer takes, before any was measured."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    """All that is measured in one call, and the file that it goes to."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.began, self.work = args, time.monotonic(), folder / "run"
        self.work.mkdir(exist_ok=True)
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.cores: tuple[int | None, int | None] = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
        self.folder = folder
        self.missing: dict[str, str] = {}
        self.file = RESULTS / f"{args.date}.json"
        self.result: dict[str, Any] = {
            "date": args.date,
            "machine": machine(),
            "python": platform.python_version(),
            "pinned": self.cores[0] is not None,
            "scale": args.scale,
            "seed": args.seed,
            "missing": self.missing,
            "loads": {},
        }
        if args.keep and self.file.exists():
            self.result = plan.resumed(json.loads(self.file.read_text()), self.result, self.file.name)
        for name in args.loads:
            self.result["loads"].setdefault(name, {"users": job.LOADS[name], "peers": {}})

    def prepare(self) -> list[Peer]:
        """Install what is missing, so that no run waits for it."""
        left = []
        for peer in (BY_NAME[name] for name in self.args.peers):
            try:
                peer.command("", "", GROUP, self.work, self.work, say)
                left.append(peer)
            except Missing as why:
                self.missing[peer.name] = str(why)
                say(f"{peer.title}: takes no part: {why}")
        sizes = {self.events(peer) for peer in left}
        ours = self.events(BY_NAME["ours"])
        self.loads = {
            name: Loads(self.folder, job.LOADS[name], self.args.seed, sizes, ours if ours in sizes else max(sizes), say)
            for name in self.args.loads
        }
        return left

    def events(self, peer: Peer) -> int:
        """How many it gets."""
        return int(peer.events * self.args.scale)

    def all(self, peers: list[Peer]) -> bool:
        """Every peer in turn, round after round, of each what is not known yet; whether all of it is known now."""
        todo = plan.steps(
            self.result, self.args.loads, [peer.name for peer in peers], self.args.figures, self.args.rounds
        )
        for load in {step.load: None for step in todo if step.figure != "latency"}:
            for n in self.loads[load].sizes:
                self.loads[load].get(n)
        if "latency" in {step.figure for step in todo}:
            next(iter(self.loads.values())).empty()
        if self.args.prepare:
            return False
        if self.cores[0] is not None:
            os.sched_setaffinity(0, {self.cores[0]})  # looking at a peer must not cost it anything
        longest, began = STEP_S, time.monotonic()
        for number, step in enumerate(todo):
            now = time.monotonic()
            if self.args.minutes is not None and now - self.began + longest > 60 * self.args.minutes:
                say(f"{len(todo) - number} of {len(todo)} steps are left; the same call again goes on with them")
                return False
            found = self.one(BY_NAME[step.peer], step)
            longest = max(longest, time.monotonic() - now)
            plan.add(self.result, step, found)
            said = f"round {step.round + 1}, {step.load}, {step.peer}, {step.figure}: {json.dumps(found)}"
            say(f"{said} ({time.monotonic() - now:.0f} s)")
            self.keep()
        say(f"{len(todo)} steps in {time.monotonic() - began:.0f} s")
        return True

    def one(self, peer: Peer, step: plan.Step) -> dict[str, Any]:
        """One figure of one peer, in one round."""
        loads = self.loads[step.load]
        if step.figure == "latency":
            told = latency.measure(peer, loads.empty(), loads.users, self.args.seed, self.work, self.cores, say)
            return {"p50_ms": _round(told.p50_ms), "p99_ms": _round(told.p99_ms), "behind": told.behind}
        load = loads.get(self.events(peer))
        if step.figure == "rate":
            out = measure.run(peer, load, self.work, self.cores, say)
            figures = {
                "events": load.events,
                "events_per_second": round(out.events_per_second),
                "cpu_s_per_million": round(out.cpu_s_per_million, 2),
                "broker_cpu_s_per_million": round(out.broker_cpu_s_per_million, 2),
                "peak_mib": round(out.peak_mib),
                "records": out.end,
                "rows_per_event": round(out.rows / load.events, 3),
                "wrong": out.wrong,
            }
        else:
            before = plan.known(self.result, step.load, peer.name, "records")
            kill_at = max(1, int(KILL_AT * (before or len(load.answer))))
            out = measure.run(peer, load, self.work, self.cores, say, kill_at)
            figures = {"restart_s": _round(out.restart_s), "wrong_after_kill": out.wrong}
            if not out.killed:
                say(f"{peer.title}: wrote fewer than {kill_at:,} rows, so it was not killed")
                figures = {"restart_s": None, "wrong_after_kill": None}
        if out.said:
            say(out.said)
        return figures

    def keep(self) -> None:
        """Write down what is known so far; an interrupted run loses nothing."""
        if self.args.keep:
            RESULTS.mkdir(exist_ok=True)
            part = self.file.with_suffix(".part")
            part.write_text(json.dumps(self.result, indent=1) + "\n")
            part.replace(self.file)
            self.file.with_suffix(".svg").write_text(report.chart(self.result))


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def arguments() -> argparse.Namespace:
    """What was asked for. --quick: five peers, the dense load, once, half the events, rates only."""
    ask = argparse.ArgumentParser(prog="make bench", description=__doc__)
    ask.add_argument("--quick", action="store_true", help="five peers, dense, once, smaller loads, rates only")
    names = ",".join(peer.name for peer in PEERS)
    ask.add_argument("--peers", type=lambda s: s.split(","), help=f"of {names}")
    ask.add_argument("--loads", type=lambda s: s.split(","), help=f"of {','.join(job.LOADS)}")
    ask.add_argument("--figures", type=lambda s: s.split(","), help=f"of {','.join(FIGURES)}")
    ask.add_argument("--rounds", type=int)
    ask.add_argument("--scale", type=float, help="of the number of events")
    ask.add_argument(
        "--keep", action="store_true", help="bench/results/DATE.json and .svg: go on with them, if they are there"
    )
    ask.add_argument(
        "--date", default=time.strftime("%Y-%m-%d"), help="the DATE of --keep: an earlier one to go on with it"
    )
    ask.add_argument("--minutes", type=float, help="begin nothing that would take longer; what was measured is kept")
    ask.add_argument("--work", type=Path, help="a folder for the loads, kept for the next call")
    ask.add_argument("--prepare", action="store_true", help="install, make the loads in --work, and measure nothing")
    ask.add_argument("--show", type=Path, help="print the table of such a file again, and measure nothing")
    ask.add_argument("--seed", type=int, default=1)
    args = ask.parse_args()
    quick = args.quick
    defaults = {
        "peers": list(QUICK) if quick else [peer.name for peer in PEERS],
        "loads": ["dense"] if quick else list(job.LOADS),
        "figures": ["rate"] if quick else list(FIGURES),
        "rounds": 1 if quick else 3,
        "scale": 0.4 if quick else 1.0,
    }
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    for asked, known in ((args.peers, BY_NAME), (args.loads, job.LOADS), (args.figures, FIGURES)):
        for name in asked:
            if name not in known:
                ask.error(f"there is no {name!r}; there are {', '.join(known)}")
    return args


def main() -> None:
    args = arguments()
    if args.show:
        print(report.table(json.loads(args.show.read_text())))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and peers are stopped
    if args.work:
        args.work.mkdir(parents=True, exist_ok=True)
    with nullcontext(args.work) if args.work else tempfile.TemporaryDirectory(prefix="daybook-peers-") as folder:
        bench = Bench(args, Path(folder).resolve())
        complete = bench.all(bench.prepare())
    print(report.table(bench.result))
    if complete:
        print(json.dumps(report.line(bench.result)))


if __name__ == "__main__":
    main()
