"""docs/reference: topics, tables, settings, errors, commands, from the code: `python -m daybook.reference_pages`.

(Metrics are another list: `python -m schemas.metrics_page docs/reference/metrics.md`.)
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer

from daybook import errors, sinking, waiting
from daybook.cli import app
from daybook.settings import SECRETS, Settings
from schemas.tables import DAILY_COLUMNS, PROGRESS_COLUMNS, TABLES, Column
from schemas.topics import GENERATIONS, TOPICS, Topic
from sinks import base
from sinks.migrate import migrations
from streams import stop

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
_MADE = "Made by `python -m daybook.reference_pages` from the code: do not edit."


def pages() -> dict[str, str]:
    """File name → the whole page."""
    made: dict[str, Callable[[], Iterator[str]]] = {
        "topics.md": _topics,
        "tables.md": _tables,
        "settings.md": _settings,
        "errors.md": _errors,
        "commands.md": _commands,
    }
    return {name: "\n".join(lines()) + "\n" for name, lines in made.items()}


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _code(text: str | None) -> str:
    return "" if text is None else f"`{text}`"


# -- topics


def _topics() -> Iterator[str]:
    groups = [
        *(waiting.DAILY_STREAM, waiting.PROGRESS_STREAM, waiting.LOADER, waiting.TRENDING_STREAM),
        *(waiting.LISTS_STREAM, waiting.AFFINITY_STREAM, *sinking.groups().values()),
    ]
    yield from ("# Topics", "", _MADE, "")
    yield (
        "All have the same number of partitions, but `generations`, which has one. Topics of events are stamped by the "
        "broker's clock; acceptance is judged by it. What the events are: "
        "[schemas/asyncapi.json](../../schemas/asyncapi.json)."
    )
    yield from ("", _row("topic", "key", "holds", "kept", "read by"), _row(*["---"] * 5))
    for topic in (*TOPICS, GENERATIONS):
        readers = sorted({group.who for group in groups if topic.name in group.topics})
        key = topic.key.replace("\0", "\\0").replace("\1", "\\1")
        yield _row(_code(topic.name), _code(key), topic.what, _kept(topic), ", ".join(readers))


def _kept(topic: Topic) -> str:
    return "the last of each key" if topic.keep is None else f"{topic.keep / timedelta(days=1):g} days"


# -- tables


def _tables() -> Iterator[str]:
    yield from ("# Tables", "", _MADE, "")
    yield (
        "Rows are absolute and versioned, and a store keeps the highest version. Missing is null, never zero. In "
        "ClickHouse ask the views that end in `_current`, which need no `FINAL`; quantities are in the units that "
        "their names say."
    )
    yield from ("", _row("what", "PostgreSQL", "ClickHouse", "Redis"), _row(*["---"] * 4))
    for table in TABLES:
        yield _row(table.what, _code(table.postgres), _code(table.clickhouse), _code(table.redis))
    for title, columns in (("One day of one user", DAILY_COLUMNS), ("What a user's days come to", PROGRESS_COLUMNS)):
        yield from ("", f"## {title}", "", _row("column", "type", "what"), _row(*["---"] * 3))
        for column in columns:
            yield _row(_code(column.name), _type(column), column.what)
    yield from (
        "",
        "What each number means, and how it is computed: [metrics](../metrics.md).",
        "",
        "## Migrations",
        "",
    )
    yield "Numbered, applied in order, each once, by `daybook migrate`."
    for store, name in (("postgres", "PostgreSQL"), ("clickhouse", "ClickHouse")):
        yield from ("", f"{name}: " + ", ".join(f"`{m.name.removesuffix('.sql')}`" for m in migrations(store)) + ".")


_WORDS = {str: "text", int: "integer", float: "number", bool: "yes or no", dict: "map", list: "list", tuple: "list"}


def _type(column: Column) -> str:
    kind: Any = typing.get_origin(column.type) or column.type
    return _WORDS.get(kind, getattr(kind, "__name__", str(kind)))


# -- settings


def _settings() -> Iterator[str]:
    yield from ("# Settings", "", _MADE, "")
    yield (
        "Each is a variable of the environment, or a file of that name in the folder that "
        f"`{SECRETS}` names (for passwords), read once at the start of a command or worker. A flag of the command "
        "comes first; addresses that nobody names are those of the servers that run in the data folder."
    )
    yield from ("", _row("setting", "default", "what"), _row(*["---"] * 3))
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, bool):
            default = int(default)
        shown = "" if default is None or default == "" else _code(str(default))
        yield _row(_code(f"DAYBOOK_{name.upper()}"), shown, field.description or "")


# -- errors


def _errors() -> Iterator[str]:
    yield from ("# Errors and exit codes", "", _MADE, "")
    yield (
        "What goes wrong is one line on stderr that names what and where, without a stack trace (`DAYBOOK_DEBUG=1` "
        "shows it). The exit code says what to do."
    )
    codes = {
        0: ("it worked, or a worker was told to stop", ""),
        1: ("it did not work", "what the line says"),
        errors.Misuse.exit_code: ("it was asked for in a way that cannot work", "`--help`"),
        stop.EXIT_FAILED: (
            "a worker stopped because going on would not be exact",
            "start it again: it goes on where its last commit left it (the supervisor does)",
        ),
        stop.EXIT_REFUSED: (
            "a worker or command refuses what it found",
            "what the line says, first: starting it again changes nothing",
        ),
        130: ("Ctrl-C", ""),
    }
    yield from ("", _row("code", "it means", "do"), _row(*["---"] * 3))
    yield from (_row(code, *said) for code, said in sorted(codes.items()))
    yield from ("", "## What sinks raise", "", "```text", *_tree(base.SinkError), "```")
    yield from ("", "## What commands raise", "", "```text", *_tree(errors.Problem), "```")
    yield from ("", "Over HTTP: [what is answered](../how-to/api.md#what-is-answered). Workers that refuse:")
    yield "[watch](../how-to/watch.md#when-workers-refuse). Refused events: [rejected](../how-to/rejected-events.md)."


def _tree(family: type[BaseException]) -> list[str]:
    """The drawing in a family's docstring."""
    lines = inspect.cleandoc(family.__doc__ or "").splitlines()
    return [line.rstrip() for line in lines if re.match(r"[ │]*[├└]", line)]


# -- commands


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", _MADE, "")
    yield "Every command takes `--help`. stdout is for programs, stderr for people."
    yield from _group(typer.main.get_command(app), "daybook")


def _group(group: Any, path: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _group(command, f"{path} {name}")
            continue
        yield from ("", f"## {path} {name}", "", inspect.cleandoc(command.help or ""), "")
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
        usage = [f"{path} {name}", *(_usage(p) for p in arguments), *(["[OPTIONS]"] if options else [])]
        yield from ("```text", " ".join(usage), "```")
        if arguments or options:
            yield from ("", _row("", "default", ""), _row(*["---"] * 3))
        for parameter in arguments:
            yield _row(_code(parameter.metavar or parameter.name.upper()), "", parameter.help or "")
        for parameter in options:
            yield _row(_code(_flags(parameter)), _default(parameter), parameter.help or "")


def _usage(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    many = "..." if parameter.nargs == -1 else ""
    return f"{name}{many}" if parameter.required else f"[{name}{many}]"


def _flags(parameter: Any) -> str:
    said = "/".join([*parameter.opts, *parameter.secondary_opts])
    return said if parameter.is_flag else f"{said} {_kind(parameter)}"


def _kind(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    arms = [arm for arm in typing.get_args(annotation) if arm is not type(None)]
    if typing.get_origin(annotation) is typing.Literal:
        return "|".join(map(str, arms))
    return str(parameter.metavar or getattr(arms[0] if arms else annotation, "__name__", "value")).upper()


def _default(parameter: Any) -> str:
    default = parameter.default
    if default is None or default is False or callable(default) or default == () or default == []:
        return ""
    return _code(str(default))


if __name__ == "__main__":
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
