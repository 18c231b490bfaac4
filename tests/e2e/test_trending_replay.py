"""A month of real videos, replayed as fast as it goes by its own clock: every list is that of one plain pass."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from command_line import daybook

pytestmark = pytest.mark.slow
BY_EVENT_TIME = {"DAYBOOK_TRENDING_CLOCK": "event"}


def ran(*words: object, data: Path, timeout_s: float = 240) -> str:
    done = daybook(*words, "--data", data, timeout_s=timeout_s, env=BY_EVENT_TIME)
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_a_month_replayed_in_a_minute_gives_the_lists_of_one_pass(tmp_path: Path) -> None:
    data = tmp_path / "data"
    try:
        ran("up", "--detach", data=data)
        ran("replay", "youtube", data=data)
        ran("wait", "--timeout", 200, data=data)
        said = ran("verify", data=data)
        assert "0 differences" in said
        assert " 0 trending lists" not in said
        servers = dict(line.split("=", 1) for line in ran("env", data=data).splitlines() if "=" in line)
        with psycopg.connect(servers["DAYBOOK_POSTGRES"]) as connection:
            query = "SELECT extract(year FROM max(at)), max(jsonb_array_length(entries)) FROM trending_lists"
            assert connection.execute(query).fetchone() == (2017, 100)
    finally:
        daybook("down", "--data", data, timeout_s=120)
