"""Tables that a request brings along: the files of a multipart form, and the data of `INSERT … SELECT … FROM input()`.

Both become temporary tables of the request's connection (engine Memory), filled before its statement runs.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aiohttp import BodyPartReader, web

from stack.chserver.body import KEEP_IN_MEMORY
from stack.chserver.engine import Connection, quote_name
from stack.chserver.errors import Code, ServerError


@dataclass(frozen=True, slots=True)
class Table:
    """One table to be, with its structure as ClickHouse writes it (``a UInt8, b String``)."""

    name: str
    structure: str
    format: str
    data: IO[bytes]


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: plain fields are parameters, files are data of tables."""

    fields: Mapping[str, str]
    files: Mapping[str, IO[bytes]]

    def tables(self, url: Mapping[str, str]) -> list[Table]:
        """The tables of the files; raises ServerError for a file whose structure nobody tells."""
        return [_table(name, file, {**url, **self.fields}) for name, file in self.files.items()]

    def close(self) -> None:
        """Drop the files."""
        for file in self.files.values():
            file.close()


async def read_form(request: web.Request, scratch: Path) -> Form:
    """Read a multipart body; its files go to ``scratch`` when they are large."""
    fields, files = dict[str, str](), dict[str, IO[bytes]]()
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                raise ServerError(Code.BAD_ARGUMENTS, "A part of the form has no name")
            if part.filename is None:
                fields[part.name] = (await part.read(decode=True)).decode()
                continue
            file = files[part.name] = tempfile.SpooledTemporaryFile(KEEP_IN_MEMORY, dir=str(scratch))  # noqa: SIM115
            while piece := await part.read_chunk(1 << 16):
                file.write(piece)
            file.seek(0)
    except BaseException:
        Form(fields, files).close()
        raise
    return Form(fields, files)


@contextmanager
def loaded(connection: Connection, tables: list[Table]) -> Iterator[None]:
    """Have these tables for as long as the block runs."""
    with ExitStack() as stack:
        for table in tables:
            name = quote_name(table.name)
            connection.run(f"CREATE TEMPORARY TABLE {name} ({table.structure}) ENGINE = Memory")
            stack.callback(connection.run, f"DROP TEMPORARY TABLE {name}")
            connection.insert(f"INSERT INTO {name}".encode(), table.format, table.data, {})
        yield


def _table(name: str, data: IO[bytes], told: Mapping[str, str]) -> Table:
    structure = told.get(f"{name}_structure", "")
    if not structure and (types := told.get(f"{name}_types")):
        structure = ", ".join(f"_{place} {kind}" for place, kind in enumerate(_split(types), 1))
    if not structure:
        message = f"Neither structure nor types have not been provided for external table {name}. Use fields "
        raise ServerError(Code.BAD_ARGUMENTS, message + f"{name}_structure or {name}_types to do so")
    return Table(name, structure, told.get(f"{name}_format", "TabSeparated"), data)


def _split(types: str) -> Iterator[str]:
    """Split ``UInt8, Map(String, UInt8)`` at the commas that no bracket holds."""
    depth = start = 0
    for place, sign in enumerate(types):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            yield types[start:place].strip()
            start = place + 1
    yield types[start:].strip()
