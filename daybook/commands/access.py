"""acls: who may do what in Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daybook.options import Data
from daybook.say import out, say


def acls(
    data: Data = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Put them into Kafka; what our users have beyond them is taken away.")
    ] = False,
    passwords: Annotated[
        Path | None,
        typer.Option(
            "--passwords", help="With --apply: a folder of files kafka-ROLE, one password each: its users are made."
        ),
    ] = None,
) -> None:
    """Print what each role may do in Kafka, as commands of Kafka's own tool; or see to it.

    Each role has a user of its own, daybook-ROLE; daybook-operator is whoever works by the command line.
    """
    from daybook import access, allowing, settings
    from daybook.errors import Misuse

    kafka = settings.read(data=data).address("kafka")
    if not apply:
        for line in access.commands(kafka):
            out(line)
        return
    if passwords is not None:
        if not passwords.is_dir():
            raise Misuse(f"--passwords: there is no folder {passwords}")
        files = {role: passwords / f"kafka-{role}" for role in access.services()}
        told = {role: file.read_text(encoding="utf-8").strip() for role, file in files.items() if file.is_file()}
        allowing.set_passwords(kafka, access.passwords(told), say)
    out(f"rules {allowing.allow(kafka, say)}")
