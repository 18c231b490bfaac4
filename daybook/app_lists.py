"""Trending's lists, as daybook.app is the daily stream: `faust -A daybook.app_lists worker`."""

from __future__ import annotations

import sys

from daybook import settings
from daybook.errors import Problem
from daybook.roles import stream

try:
    app = stream(settings.read(), "lists")
except Problem as why:
    sys.exit(f"daybook: {why}")
