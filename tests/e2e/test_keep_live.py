"""Keep and drop on a live stack: rows leave, a late event finds its whole day, a rebuild brings back nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from command_line import daybook
from keep_world import meal

from daybook import settings
from daybook.keep import once
from daybook.keep.archive import Archive
from daybook.keep.restore import restore
from producers import generate
from producers.publish import publish

pytestmark = pytest.mark.slow  # a rebuild stops and starts all workers

POPULATION = {"users": 8, "days": 60, "seed": 21}
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("keep") / "data"
    try:
        up = daybook("up", "--detach", "--partitions", 2, "--data", folder, timeout_s=180)
        assert up.returncode == 0, up.stderr
        yield folder
    finally:
        daybook("down", "--data", folder, timeout_s=120)


def ran(*words: object, data: Path, timeout_s: float = 180) -> str:
    done = daybook(*words, "--data", data, timeout_s=timeout_s)
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return str(done.stdout)


def rows_in_postgres(found: settings.Settings) -> int:
    with psycopg.connect(found.address("postgres")) as connection:
        row = connection.execute("SELECT count(*) FROM user_metrics_daily WHERE entities IS NOT NULL").fetchone()
        assert row is not None
        return int(row[0])


def test_verify_is_content_through_drop_late_events_rebuild_and_restore(data: Path, tmp_path: Path) -> None:
    found = settings.read(data=data, archive=tmp_path / "archive")
    publish(found.address("kafka"), generate.events(**POPULATION))
    ran("wait", "--timeout", 90, data=data)
    ran("verify", data=data)
    all_rows = rows_in_postgres(found)

    did = {each.what: each.rows for each in once.keep(found, TODAY + timedelta(days=732))}
    assert did["daily"] >= all_rows > 100
    assert rows_in_postgres(found) == 0
    ran("verify", data=data)

    with psycopg.connect(found.address("postgres")) as connection:
        assert connection.execute("SELECT count(*) FROM user_progress").fetchone() != (0,)
    user = "u_000003"
    publish(found.address("kafka"), [meal(user, "2026-03-03T12:00:00+00:00", 95, source="late/1.0.0")])
    ran("wait", "--timeout", 90, data=data)
    ran("verify", data=data)
    back = rows_in_postgres(found)
    assert back >= 1

    ran("rebuild", data=data)
    ran("wait", "--timeout", 120, data=data)
    ran("verify", data=data)
    assert rows_in_postgres(found) >= all_rows
    once.keep(found, TODAY + timedelta(days=700))
    assert rows_in_postgres(found) == back
    ran("verify", data=data)

    name = next(m.name for m in Archive(tmp_path / "archive").list() if m.dataset == "daily")
    restore(found, name, 30)
    assert rows_in_postgres(found) >= all_rows
    ran("verify", data=data)
    (line, *_) = [line for line in ran("growth", data=data).splitlines() if " user_metrics_daily " in line]
    assert line.startswith("postgres")
