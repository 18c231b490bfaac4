"""`python -m bench.backfill`: a changed metric over 1,000,000 user-days beside 2,000 live events a second.

Everything runs on this machine: servers, workers, the load, the probes and the backfill. First the days are made,
through Kafka and the workers as any others; then it is measured how long a live event takes to be readable in Redis:
alone, beside the shadow, and beside the swap. `--verify` recomputes all of it in the end; `--user-days` makes it
smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from bench.backfill.fresh import Live, meal
from bench.daily.__main__ import machine
from daybook import running, sinking, waiting
from producers.publish import Record, publish_records

METRIC = "meal_plan_adherence_pct"
SINCE = date(2026, 1, 1)
DAYS = 100
SUBSTITUTED = 10
"""One meal in so many is a substitute: its day says something else by the new definition."""
ALONE_S = 20.0
GOAL_S = 1.0
_WAIT_S = 600.0
_EVERY = '["mon","tue","wed","thu","fri","sat","sun"]'


def say(line: str) -> None:
    """For people."""
    print(line, file=sys.stderr, flush=True)


def past(users: int) -> Iterator[Record]:
    """A plan for everybody, and a meal a day."""
    for number in range(users):
        user = f"b{number:06}"
        head = f'"specversion":"1.0","id":"{user}-plan","source":"bench/1","type":"plan.assigned","subject":"{user}"'
        data = f'{{"effective_from":"{SINCE}","meals":[{{"item":"lunch","weekdays":{_EVERY}}}]}}'
        yield Record("plans", user.encode(), f'{{{head},"time":"{SINCE}T00:00:00Z","data":{data}}}'.encode())
    for day in range(DAYS):
        on = SINCE + timedelta(day)
        for number in range(users):
            user = f"b{number:06}"
            item = "other" if (number + day) % SUBSTITUTED == 0 else "lunch"
            value = meal(user, f"{user}-{on}", f"{on}T12:00:00Z", item=item, kcal=300 + (number + day) % 500)
            yield Record("meals", user.encode(), value)


def command(folder: Path, *words: str) -> str:
    """What a command of Daybook's says on stderr; its progress is shown. Ends the bench if it fails."""
    argv = [sys.executable, "-m", "daybook", *words, "--data", str(folder)]
    said: list[str] = []
    with subprocess.Popen(argv, stdout=sys.stderr, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            say(f"    {line.rstrip()}")
    if process.returncode:
        sys.exit(f"bench: daybook {' '.join(words)} ended with {process.returncode}")
    return "".join(said)


def measured(folder: Path, chosen: argparse.Namespace) -> dict[str, object]:
    """All of it, in a folder of its own."""
    users = max(1, chosen.user_days // DAYS)
    settings = running.up(folder, None, say)
    kafka = settings.address("kafka")
    began = time.monotonic()
    publish_records(kafka, past(users))
    waiting.until_visible(kafka, list(sinking.groups().values()), _WAIT_S)
    say(f"{users * DAYS:,} user-days are there after {time.monotonic() - began:.0f} s")
    live = Live(kafka, settings.address("redis"), chosen.rate, users)
    try:
        time.sleep(5.0)
        began = time.monotonic()
        time.sleep(ALONE_S)
        alone = live.since(began)
        say(f"live events alone: {alone}")
        began, sent = time.monotonic(), live.sent
        last = SINCE + timedelta(DAYS - 1)
        asked = ("--set", "substitute_pct=75", "--from", str(SINCE), "--to", str(last), "--budget", chosen.budget)
        found = command(folder, "backfill", METRIC, *asked)
        took = time.monotonic() - began
        rate, beside = (live.sent - sent) / took, live.since(began)
        say(f"beside the shadow: {beside}")
        number = re.search(r"backfill swap (\d+)", found)
        computed = re.search(r"([\d,]+) days computed in", found)
        assert number is not None
        assert computed is not None
        began = time.monotonic()
        command(folder, "backfill", "swap", number[1], "--budget", chosen.budget)
        swap_s, swapping = time.monotonic() - began, live.since(began)
        say(f"beside the swap: {swapping}")
    finally:
        live.close()
    if chosen.verify:
        command(folder, "wait", "--timeout", str(int(_WAIT_S)))
        command(folder, "verify")
    return {
        "user_days": int(computed[1].replace(",", "")),
        "live_per_s": round(rate),
        "shadow_s": round(took),
        "user_days_per_s": round(users * DAYS / took),
        "swap_s": round(swap_s),
        **{
            f"{name}_{share}_ms": round(1000 * each.at(quantile))
            for name, each in (("alone", alone), ("shadow", beside), ("swap", swapping))
            for share, quantile in (("p50", 0.5), ("p99", 0.99))
        },
        "probes": len(beside.seconds),
        "is_verified": bool(chosen.verify),
        "fresh": beside.at(0.99) < GOAL_S and swapping.at(0.99) < GOAL_S,
    }


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m bench.backfill", description=__doc__)
    ask.add_argument("--user-days", type=int, default=1_000_000)
    ask.add_argument("--rate", type=int, default=2_000, help="live events a second")
    ask.add_argument("--budget", default="50%", help="as daybook backfill takes it")
    ask.add_argument("--verify", action="store_true", help="recompute all in the end")
    chosen = ask.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and workers are stopped
    os.environ.setdefault("DAYBOOK_CANARY_EVERY_S", "0")
    with tempfile.TemporaryDirectory(prefix="daybook-backfill-") as folder:
        try:
            found = measured(Path(folder), chosen)
        finally:
            running.down(Path(folder), lambda line: None)
    print(json.dumps({"machine": machine(), **found}))
    verdict = "holds" if found["fresh"] else "DOES NOT HOLD"
    print(
        f"{found['user_days']:,} user-days in {found['shadow_s']} s beside {found['live_per_s']:,} live events/s:"
        f" freshness p99 {found['shadow_p99_ms']} ms in the shadow, {found['swap_p99_ms']} ms in the swap"
        f" (alone {found['alone_p99_ms']} ms); under 1 s: {verdict}"
    )
    if not found["fresh"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
