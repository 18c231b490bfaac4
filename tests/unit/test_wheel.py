"""A wheel has all that the code reads when it runs: the page, schemas, migrations, scripts, samples."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "producers", "streams", "sinks", "api", "daybook", "stack")
BUILT = {".pyx", ".pxi", ".c", ".so", ".pyc"}
"""What extensions are made of, and what is made: they are optional, and take too long for a test."""
READS = """
from pathlib import Path
import api.pacer, producers.fitbit, producers.youtube, schemas.asyncapi, sinks.redis.sink
from api import pages
from api.config import Limits
from api.openapi import document
from sinks.migrate import migrations
here = Path.cwd()
assert Path(api.__file__).parents[1] == here, api.__file__
assert '/v1/events' in document(Limits())['paths']
assert {'index.html', 'main.js', 'vendor/uPlot.js'} <= pages.files().keys()
assert all(migrations(store) for store in ('postgres', 'clickhouse'))
assert schemas.asyncapi.FILE.exists()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, without its extensions, from a copy; nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in PACKAGES:
        shutil.copytree(
            ROOT / name, source / name, ignore=lambda _, names: [n for n in names if Path(n).suffix in BUILT]
        )
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    told, *extensions = (ROOT / "pyproject.toml").read_text().split("[[tool.setuptools.ext-modules]]")
    told += "[tool.setuptools.packages.find]" + extensions[-1].partition("[tool.setuptools.packages.find]")[2]
    (source / "pyproject.toml").write_text(told)
    arguments = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", source, *arguments, "--wheel-dir", folder], check=True)
    return next(folder.glob("*.whl"))


def test_every_file_beside_the_code_is_in_the_wheel(wheel: Path) -> None:
    there = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and path.suffix not in BUILT and "__pycache__" not in path.parts
    }
    assert {
        "api/page/index.html",
        "api/page/vendor/uPlot.js",
        "api/pace.lua",
        "schemas/json/meal.logged.json",
        "sinks/postgres/migrations/0001_user_metrics_daily.sql",
    } <= wanted
    assert wanted - there == set()
    assert {name for name in there - wanted if ".dist-info/" not in name} == set()


def test_what_is_unpacked_from_it_reads_all_that_the_service_needs(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", READS], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
