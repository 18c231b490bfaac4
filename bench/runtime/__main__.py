"""``python -m bench.runtime [--set slice_records=1000]``: what the runtime itself costs an event, on a real broker."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from bench.runtime.worker import OUT, SOURCE
from producers.bench_events import meal_events
from producers.publish import Record, publish_records
from stack.stack import Stack

PARTITIONS = 8


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.runtime", description=__doc__)
    ask.add_argument("--events", type=int, default=1_000_000)
    ask.add_argument("--users", type=int, default=20_000)
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of streams/runtime/tuning.py")
    args = ask.parse_args()
    settings = {name: json.loads(value) for name, _, value in (setting.partition("=") for setting in args.set)}
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        stack = Stack(Path(folder), say=say)
        try:
            kafka = stack.up(["kafka"]).kafka
            admin = AdminClient({"bootstrap.servers": kafka})
            changelog = "bench-runtime-state-changelog"
            make(admin, SOURCE)
            events = (Record(SOURCE, key, value) for key, value in meal_events(args.events, args.users))
            publish_records(kafka, events)
            for _ in range(args.runs):
                make(admin, OUT, changelog)
                command = [sys.executable, "-m", "bench.runtime.worker", kafka, str(PARTITIONS), str(args.events)]
                subprocess.run([*command, json.dumps(settings)], check=True, timeout=300)
                for future in admin.delete_topics([OUT, changelog]).values():
                    future.result(30)
        finally:
            stack.down()


def make(admin: AdminClient, *topics: str) -> None:
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics]).values():
        future.result(30)


if __name__ == "__main__":
    main()
