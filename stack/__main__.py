"""``python -m stack``: fetch what the embedded servers need from outside, and prepare it, ahead of the first start."""

from __future__ import annotations

import sys

from .errors import StackError
from .kafka import prepare_once


def main() -> None:
    """Fetch and prepare; one line and exit code 1 where it cannot be done."""
    try:
        prepare_once(lambda line: print(line, file=sys.stderr, flush=True))
    except StackError as why:
        sys.exit(f"error: {why}")


if __name__ == "__main__":
    main()
