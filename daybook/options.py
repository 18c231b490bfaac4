"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="FOLDER", help="Folder of the servers on this machine [default: .daybook]"),
]
Partitions = Annotated[
    int | None, typer.Option("--partitions", min=1, max=1000, help="Partitions of new topics [default: 8]")
]
