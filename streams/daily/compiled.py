"""The compiled parts of the stream, where they are: a machine without a C compiler has none, and DAYBOOK_NATIVE=0 in
the environment leaves them out. Each has its definition in Python, to which tests hold it, at about half the speed.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any


def compiled(name: str) -> Any:
    """A compiled module of this folder; None where Python does all."""
    if os.environ.get("DAYBOOK_NATIVE") == "0":
        return None
    try:
        return import_module(f"streams.daily.{name}")
    except ImportError:
        return None
