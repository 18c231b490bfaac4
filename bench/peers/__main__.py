"""`make bench` and `make bench-quick`: every peer, several times, in turns, on one core; a table and a file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from bench.daily.__main__ import machine
from bench.peers import job
from bench.peers.measure import Outcome, run
from bench.peers.peers import PEERS, Missing, Peer
from bench.peers.report import chart, table
from daybook import topics
from producers.publish import Record, publish_records
from stack.stack import Stack

QUICK = ("ours", "plain_faust", "quix", "kafka_streams", "kafka_streams_eos")
RESULTS = Path(__file__).parents[1] / "results"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def stamp_by_broker(kafka: str, topic: str) -> None:
    """Have the broker's clock stamp what is appended: whatever times the peers write, the end is read on one clock."""
    entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.incremental_alter_configs([resource])[resource].result()


class Loads:
    """Broker folders with n events in their topic, made once a run, and the offline answers to them."""

    def __init__(self, folder: Path, users: int, seed: int) -> None:
        self.folder, self.users, self.seed = folder, users, seed
        self._answers: dict[int, dict[job.Day, job.Totals]] = {}

    def get(self, n: int) -> tuple[Path, dict[job.Day, job.Totals]]:
        """The folder of the load of n events."""
        home = self.folder / f"load-{n}"
        if n not in self._answers:
            began = time.monotonic()
            log = list(job.events(n, self.users, self.seed))
            stack = Stack(home, say=lambda _: None)
            try:
                kafka = stack.up(["kafka"]).kafka
                topics.migrate(kafka, job.PARTITIONS, lambda _: None)
                stamp_by_broker(kafka, job.OUTPUT)
                publish_records(kafka, (Record(job.INPUT, key, value) for key, value in log))
            finally:
                stack.down()
            self._answers[n] = job.answer(log)
            say(f"{n:,} events of {self.users:,} users are in a topic ({time.monotonic() - began:.0f} s)")
        return home, self._answers[n]


def measure(peer: Peer, loads: Loads, work: Path, cores: list[int], scale: float) -> tuple[float, Outcome, Outcome]:
    """Events a second: what the larger run had more, over how much longer it took; so start-up costs nothing."""
    small, large = int(peer.small * scale), int(peer.large * scale)
    outcomes = [run(peer, *loads.get(n), work, cores, say) for n in (small, large)]
    rate = (large - small) / max(outcomes[1].seconds - outcomes[0].seconds, 1e-3)
    return rate, outcomes[0], outcomes[1]


def main() -> None:
    ask = argparse.ArgumentParser(prog="make bench", description=__doc__)
    ask.add_argument("--quick", action="store_true", help="five peers, once, smaller loads")
    ask.add_argument("--peers", help="names, comma separated")
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--users", type=int, default=20_000)
    ask.add_argument("--scale", type=float, default=1.0, help="of the number of events")
    ask.add_argument("--kill", action="store_true", help="only kill -9 halfway, and count what is wrong afterwards")
    ask.add_argument("--seed", type=int, default=1)
    args = ask.parse_args()
    if args.quick:
        args.rounds, args.scale = 1, args.scale * 0.5
    names = args.peers.split(",") if args.peers else QUICK if args.quick else [peer.name for peer in PEERS]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    found: dict[str, list[dict[str, float]]] = {}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="daybook-peers-") as folder:
        loads = Loads(Path(folder), args.users, args.seed)
        for number in range(args.rounds):
            for peer in (p for p in PEERS if p.name in names and p.name not in missing):
                work = Path(folder) / "run"
                work.mkdir(exist_ok=True)
                try:
                    peer.command("", "", work, say)  # installs, so that no run waits for it
                    if args.kill:
                        large = int(peer.large * args.scale)
                        out = run(peer, *loads.get(large), work, cores, say, kill_after=0.4)
                        figures = {
                            "wrong_after_kill": out.wrong,
                            "restart_s": round(out.restart_s or -1, 1),
                            "rows": out.rows,
                        }
                    else:
                        rate, small, out = measure(peer, loads, work, cores, args.scale)
                        more = int(peer.large * args.scale) - int(peer.small * args.scale)
                        figures = {
                            "events_per_second": round(rate),
                            "cpu_s_per_million": round((out.cpu_s - small.cpu_s) / more * 1e6, 2),
                            "peak_mib": round(out.peak_mib),
                            "rows_per_event": round(out.rows / int(peer.large * args.scale), 2),
                            "wrong": out.wrong + small.wrong,
                        }
                except Missing as why:
                    missing[peer.name] = str(why)
                    say(f"{peer.title}: takes no part: {why}")
                    continue
                found.setdefault(peer.name, []).append(figures)
                say(f"round {number + 1}, {peer.title}: {json.dumps(figures)}")
                if figures.get("rows") == 0 or figures.get("rows_per_event") == 0:
                    log = work / f"{peer.name}.log"
                    say("".join(log.read_text().splitlines(keepends=True)[-5:]))
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "python": platform.python_version(),
        "users": args.users,
        "rounds": args.rounds,
        "peers": found,
        "missing": missing,
    }
    if not args.quick and not args.peers and not args.kill:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{result['date']}-{args.users}.json").write_text(json.dumps(result, indent=1) + "\n")
        (RESULTS / f"{result['date']}-{args.users}.svg").write_text(chart(result))
    print(table(result))
    if not args.kill:
        print(
            json.dumps({n: round(statistics.median(f["events_per_second"] for f in runs)) for n, runs in found.items()})
        )


if __name__ == "__main__":
    main()
