"""Fault points: every one is somewhere in the code, none does anything unless it is armed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import faultpoints

ROOT = Path(__file__).parents[2]
REACH = re.compile(r"faultpoints\.reach\(\"([^\"]+)\"\)")


def run(order: str, times: int) -> subprocess.CompletedProcess[str]:
    """A process that reaches flush.sent so many times and then says so."""
    code = f"from schemas.faultpoints import reach\nfor _ in range({times}): reach('flush.sent')\nprint('through')"
    environment = {**os.environ, faultpoints.VARIABLE: order}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)


def test_every_point_stands_in_the_code_exactly_once_and_no_other() -> None:
    files = [path for package in ("streams", "sinks") for path in (ROOT / package).rglob("*.py")]
    found = [name for path in files for name in REACH.findall(path.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(faultpoints.POINTS)


def test_nothing_is_armed_by_default() -> None:
    assert faultpoints.reach is faultpoints._off
    assert run("", 3).stdout == "through\n"


def test_an_armed_point_kills_at_the_time_it_was_told() -> None:
    assert run("flush.sent=kill@3", 2).stdout == "through\n"
    killed = run("flush.sent=kill@3", 3)
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout == ""
    assert run("sink.stored=kill", 3).stdout == "through\n"


@pytest.mark.parametrize("order", ["nowhere=kill", "flush.sent", "flush.sent=burn", "flush.sent=kill@soon"])
def test_an_order_that_names_nothing_is_one_line(order: str) -> None:
    done = run(order, 1)
    assert done.returncode == 1
    assert done.stderr.startswith("DAYBOOK_FAULTPOINT: expected POINT=kill|freeze[@N]")
    assert done.stderr.count("\n") == 1
