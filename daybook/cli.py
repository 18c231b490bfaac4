"""The command line: which commands there are, and how each of them ends.

exit code   0 it worked · 1 it did not, one line on stderr says why · 2 it was asked for in the wrong way · 130 Ctrl-C
            workers also: 70 stopped to stay exact, start it again · 78 refused, do what the line says first
stdout      for programs: whole lines, no colour, never wrapped. stderr: for people. DAYBOOK_DEBUG=1 shows stack traces
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from daybook.commands import (
    access,
    backfill,
    checks,
    demo,
    erase,
    events,
    explain,
    imports,
    keep,
    recommend,
    rejected,
    repair,
    servers,
    trending,
    workers,
)
from daybook.errors import Problem
from daybook.say import out, say

OURS = ("daybook", "api", "streams", "sinks", "producers", "schemas")
"""Packages whose errors are meant to be read as they are."""
CLIENTS = {
    **{"psycopg": "PostgreSQL", "redis": "Redis", "clickhouse_connect": "ClickHouse"},
    **{"confluent_kafka": "Kafka", "aiokafka": "Kafka"},
}
"""Client libraries, by what their errors are about."""

app = typer.Typer(
    name="daybook",
    help="Exact daily metrics from events: Kafka carries them, Faust workers think, "
    "PostgreSQL, ClickHouse and Redis remember.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        out(f"daybook {version('daybook')}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


for command in (
    demo.demo,
    *(servers.up, servers.down, servers.status, servers.logs, servers.env),
    *(workers.migrate, workers.rebuild, workers.worker, workers.token),
    *(events.send, events.replay, events.generate),
    *(checks.wait, checks.verify, checks.rollup, explain.explain, recommend.recommend, erase.erase, erase.export),
    *(keep.keep, keep.restore, keep.growth, repair.repair),
    access.acls,
):
    app.command()(command)
app.command(hidden=True)(workers.supervisor)
app.add_typer(rejected.app, name="rejected")
app.command("import")(imports.import_)  # a keyword of Python's
app.add_typer(trending.app, name="trending")
app.add_typer(keep.archive, name="archive")
app.add_typer(backfill.app, name="backfill")


def main() -> None:
    """Run one command and end the process with its exit code."""
    logging.getLogger().addHandler(
        logging.NullHandler()
    )  # what libraries log would stand beside the line that says why
    code = run(sys.argv[1:])
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    if code:
        sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code. With DAYBOOK_DEBUG=1 errors are raised instead of told in one line."""
    debug = os.environ.get("DAYBOOK_DEBUG", "") not in ("", "0")
    try:
        code = typer.main.get_command(app).main(arguments or ["--help"], prog_name="daybook", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.TyperException as why:
        context = getattr(why, "ctx", None)  # set where the arguments did not fit a command
        hint = f" (see: {context.command_path} --help)" if context is not None else ""
        say(f"daybook: {_one_line(why.format_message())}{hint}")
        return why.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # whoever read our output has gone: nothing is wrong, and nothing more can be said there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as why:
        if debug:
            raise
        if isinstance(why, Problem):
            say(f"daybook: {why}")
            return why.exit_code
        say(f"daybook: {_told(why)}")
        return int(getattr(why, "exit_code", 1))


def _told(why: Exception) -> str:
    package = type(why).__module__.partition(".")[0]
    if package == "stack":
        return str(why)  # with the end of a server's log, where that says why
    if package in OURS:
        return _one_line(str(why))
    if package in CLIENTS:
        return f"{CLIENTS[package]}: {_one_line(str(why))}"
    return f"{type(why).__name__}: {_one_line(str(why))} (DAYBOOK_DEBUG=1 shows where)"


def _one_line(text: str) -> str:
    return " ".join(text.split())
