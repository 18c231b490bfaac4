"""erase, export: a person leaves every store, or takes everything with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from daybook.options import Data
from daybook.say import out, say


def erase(
    user: Annotated[str | None, typer.Argument(metavar="[USER]", help="The subject of the person's events.")] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Check the signature of a receipt instead; - is stdin."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="How long the workers may take to catch up [seconds].")
    ] = 600.0,
    data: Data = None,
) -> None:
    """Erase a person from every store, for good, and print the signed receipt.

    Nothing of the person is taken from the first moment on. Cut short, it goes on when called again.
    """
    from daybook import settings
    from daybook.errors import Misuse

    if (user is None) == (check is None):
        raise Misuse("erase: name the user, or a receipt with --check")
    found = settings.read(data=data)
    if check is not None:
        return _check(found, check)
    from daybook.erasing import receipt, run

    assert user is not None
    said = run.erase(found, user, say, timeout)
    out(receipt.encode(said).decode())


def _check(found: object, file: Path) -> None:
    import msgspec

    from daybook import suppressing
    from daybook.erasing import receipt
    from daybook.errors import Misuse, Problem
    from daybook.settings import Settings
    from schemas.suppression import Erased

    assert isinstance(found, Settings)
    try:
        said = receipt.decode(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as why:
        raise Misuse(f"--check: {file}: {why.strerror}") from why
    except msgspec.MsgspecError as why:
        raise Misuse(f"--check: {file} is no receipt: {why}") from why
    if not receipt.is_genuine(said, Erased(suppressing.secret(found))):
        raise Problem(f"{file}: this installation's key did not sign it as it stands")
    say(f"genuine: {said.subject} was erased, finished {said.finished_at}")


def export(
    user: Annotated[str, typer.Argument(metavar="USER", help="The subject of the person's events.")],
    to: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write there, readable by you alone [default: stdout]")
    ] = None,
    data: Data = None,
) -> None:
    """Give a person all their data: JSON lines from every store, raw events and refused ones among them."""
    import os

    from daybook import settings
    from daybook.erasing import export as exporting
    from daybook.errors import Misuse

    count = 0
    found = exporting.lines(settings.read(data=data), user)
    if to is None:
        for line in found:
            sys.stdout.buffer.write(line + b"\n")
            count += 1
        sys.stdout.buffer.flush()
    else:
        try:
            descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as why:
            raise Misuse(f"--out: {to}: {why.strerror}") from why
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor, so that nobody else may read it
            for line in found:
                file.write(line + b"\n")
                count += 1
    say(f"{count:,} rows of {user}" if count else f"no store holds anything of {user}")
