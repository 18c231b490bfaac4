"""The daily stream for those who deploy Faust workers their own way: `faust -A daybook.app worker`.

Settings come from DAYBOOK_* variables or the running stack of the folder DAYBOOK_DATA (.daybook if not set).
"""

from __future__ import annotations

import sys

from daybook import settings
from daybook.errors import Problem
from daybook.roles import stream

try:
    app = stream(settings.read())
except Problem as why:
    sys.exit(f"daybook: {why}")
