"""Affinity, as daybook.app is the daily stream: `faust -A daybook.app_affinity worker`."""

from __future__ import annotations

import sys

from daybook import settings
from daybook.errors import Problem
from daybook.roles import stream

try:
    app = stream(settings.read(), "affinity")
except Problem as why:
    sys.exit(f"daybook: {why}")
