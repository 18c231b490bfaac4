"""The progress stream, as daybook.app is the daily one: `faust -A daybook.app_progress worker`."""

from __future__ import annotations

import sys

from daybook import settings
from daybook.errors import Problem
from daybook.roles import stream

try:
    app = stream(settings.read(), "progress")
except Problem as why:
    sys.exit(f"daybook: {why}")
