"""The queries of docs/how-to/analyse.md, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "analyse.md"


def queries() -> dict[str, str]:
    """Name → SQL, with the parameters `first` and `last`."""
    found = re.findall(r"```sql\n-- ([^\n]*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return {name: sql.strip() for name, sql in found}
