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
from pathlib import Path
from typing import Any

from bench.daily.__main__ import machine
from bench.peers import job, latency, measure, report
from bench.peers.install import Missing
from bench.peers.loads import Loads
from bench.peers.peers import BY_NAME, GROUP, PEERS, QUICK, Peer

RESULTS = Path(__file__).parents[1] / "results"
FIGURES = ("rate", "latency", "kill")
KILL_AT = 0.4
"""Share of the rows of the run before at which a peer is killed."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    """All that is measured in one call, and the file that it goes to."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.work = args, folder / "run"
        self.work.mkdir()
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.cores: tuple[int | None, int | None] = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
        self.loads = {name: Loads(folder, job.LOADS[name], args.seed, say) for name in args.loads}
        self.missing: dict[str, str] = {}
        self.result: dict[str, Any] = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "python": platform.python_version(),
            "pinned": self.cores[0] is not None,
            "rounds": 0,
            "missing": self.missing,
            "loads": {name: {"users": job.LOADS[name], "peers": {}} for name in args.loads},
        }

    def prepare(self) -> list[Peer]:
        """Install what is missing, so that no run waits for it, and fill the topics."""
        peers = [BY_NAME[name] for name in self.args.peers]
        for peer in peers:
            try:
                peer.command("", GROUP, self.work, self.work, say)
            except Missing as why:
                self.missing[peer.name] = str(why)
                say(f"{peer.title}: takes no part: {why}")
        left = [peer for peer in peers if peer.name not in self.missing]
        for loads in self.loads.values():
            for n in sorted({self.events(peer) for peer in left}):
                loads.get(n)
        if self.cores[0] is not None:
            os.sched_setaffinity(0, {self.cores[0]})  # looking at a peer must not cost it anything
        return left

    def events(self, peer: Peer) -> int:
        """How many it gets."""
        return int(peer.events * self.args.scale)

    def round(self, peers: list[Peer]) -> None:
        """Every peer once, under every load."""
        self.result["rounds"] += 1
        for name, loads in self.loads.items():
            for peer in peers:
                figures = self.one(peer, loads, detailed=name == self.args.loads[0])
                self.result["loads"][name]["peers"].setdefault(peer.name, []).append(figures)
                say(f"round {self.result['rounds']}, {name}, {peer.title}: {json.dumps(figures)}")
                self.keep()

    def one(self, peer: Peer, loads: Loads, detailed: bool) -> dict[str, Any]:
        """The figures of one peer. Latency and kill -9 under the first load only (`detailed`)."""
        n, figures = self.events(peer), dict[str, Any]()
        rows = len(loads.get(n)[1])
        if "rate" in self.args.figures:
            out = measure.run(peer, loads.get(n), n, self.work, self.cores, say)
            rows = out.end or rows
            figures |= {
                "events": n,
                "events_per_second": round(out.events_per_second),
                "cpu_s_per_million": round(out.cpu_s_per_million, 2),
                "peak_mib": round(out.peak_mib),
                "rows_per_event": round(out.rows / n, 3),
                "wrong": out.wrong,
            }
            if out.said:
                say(out.said)
        if detailed and "latency" in self.args.figures:
            seed, empty = self.args.seed, loads.get(0)[0]
            told = latency.measure(peer, empty, loads.users, seed, self.work, self.cores, say)
            figures |= {"p50_ms": _round(told.p50_ms), "p99_ms": _round(told.p99_ms), "behind": told.behind}
        if detailed and "kill" in self.args.figures:
            kill_at = max(1, int(KILL_AT * rows))
            out = measure.run(peer, loads.get(n), n, self.work, self.cores, say, kill_at)
            if out.killed:
                figures |= {"restart_s": _round(out.restart_s), "wrong_after_kill": out.wrong}
            else:
                say(f"{peer.title}: wrote fewer than {kill_at:,} rows, so it was not killed")
            if out.said:
                say(out.said)
        return figures

    def keep(self) -> None:
        """Write down what is known so far; an interrupted run loses nothing."""
        if self.args.keep:
            file = RESULTS / f"{self.result['date']}.json"
            RESULTS.mkdir(exist_ok=True)
            file.write_text(json.dumps(self.result, indent=1) + "\n")
            file.with_suffix(".svg").write_text(report.chart(self.result))


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
    ask.add_argument("--keep", action="store_true", help="write bench/results/DATE.json and .svg, as make bench does")
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
    with tempfile.TemporaryDirectory(prefix="daybook-peers-") as folder:
        bench = Bench(args, Path(folder))
        peers = bench.prepare()
        for _ in range(args.rounds):
            bench.round(peers)
    print(report.table(bench.result))
    print(json.dumps(report.line(bench.result)))


if __name__ == "__main__":
    main()
