"""The extension is optional for who has no compiler, not for who has one."""

from __future__ import annotations

import importlib.util
import shutil
import sysconfig
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "module",
    [
        *("streams.daily.native", "streams.daily.native_ledger", "streams.trending.native"),
        *("streams.progress.native", "streams.progress.native_said"),
    ],
)
def test_an_extension_is_built_where_it_can_be(module: str) -> None:
    compiler = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
    headers = Path(sysconfig.get_paths()["include"], "Python.h").exists()
    assert importlib.util.find_spec(module) is not None or not (compiler and headers)
