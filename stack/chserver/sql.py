"""Reads just enough SQL to know where a statement ends, where its data begins and which format it names.

ClickHouse itself parses and runs every statement. Only three things are decided here, with the token rules of
ClickHouse's own lexer: an INSERT's data start after `FORMAT name` or `VALUES`; a SELECT's result can be led
elsewhere by an `INTO OUTFILE` clause, which must stand before its `FORMAT`; one request is one statement.
"""

import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from stack.chserver.errors import Code, ServerError

_QUOTED = rb"'(?:[^'\\]|\\.|'')*+'"
_TOKEN = re.compile(
    rb"""(?P<skip> [\s\x00]++ | --[^\n]*+ | \#[ !][^\n]*+ | /\*.*?\*/ )
       | (?P<list> (?: (?: \d[\w.]*+ | %(quoted)s ) \s*+ ,\s*+ )++ )
       | (?P<word> [A-Za-z_\x80-\xff][\w$\x80-\xff]*+ )
       | (?P<text> %(quoted)s | "(?:[^"\\]|\\.|"")*+" | `(?:[^`\\]|\\.|``)*+` | \$(?P<tag>\w*+)\$.*?\$(?P=tag)\$ )
       | (?P<number> \d[\w.]*+ )
       | (?P<open> [(\[{] ) | (?P<close> [)\]}] )
       | (?P<sign> . )"""
    % {b"quoted": _QUOTED},
    re.VERBOSE | re.DOTALL,
)
_INSERT = re.compile(rb"\binsert\s+into\b", re.IGNORECASE)
_STRUCTURE = re.compile(rb"\s*\(\s*(" + _QUOTED + rb")\s*\)", re.DOTALL)
# What FORMAT or VALUES follows when it is the name of a table, column or alias and no clause.
_NAME_FOLLOWS = {b"INTO", b"TABLE", b"FUNCTION", b"FROM", b"JOIN", b"AS", b"SELECT", b"BY", b"WHERE", b".", b","}
INPUT = "_data_of_this_insert"
"""The table that stands for input() in an INSERT … SELECT."""


class Kind(Enum):
    """How a statement is run: its rows stream out, its data stream in, or neither."""

    READ = "read"
    INSERT = "insert"
    OTHER = "other"


class Token(NamedTuple):
    """One token with its place; ``word`` is upper case for words, the sign itself for signs, else empty."""

    word: bytes
    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, cut where the engine wants it cut.

    ``text`` is the statement up to its FORMAT (or VALUES) clause, ``after`` what follows the clause (SETTINGS),
    ``format`` the format it names. For an INSERT ``data_at`` is where its data start in the source; when it selects
    FROM input('structure'), that call stands in ``text`` as the table INPUT.
    """

    kind: Kind
    text: bytes
    format: str | None = None
    after: bytes = b""
    data_at: int = 0
    verb: str = ""
    structure: str | None = None

    def whole(self) -> bytes:
        """The statement with its clauses, as it was sent."""
        if self.format is None:
            return self.text
        return self.text + b"\nFORMAT " + self.format.encode() + b" " + self.after

    def into(self, path: str, format: str) -> bytes:
        """The statement with its rows led to the file at ``path`` in this format."""
        quoted = path.replace("\\", "\\\\").replace("'", "\\'")
        return self.text + f"\nINTO OUTFILE '{quoted}' TRUNCATE FORMAT {format} ".encode() + self.after


def tokens(source: bytes) -> Iterator[Token]:
    """Split SQL into tokens, without spaces and comments, and without all but the words within brackets.

    A list of literals is one comma; an unclosed quote is one sign: the engine will say what it thinks of it.
    """
    depth = 0
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup
        if kind == "word":
            yield Token(match[0].upper(), match.start(), match.end(), depth)
        elif kind == "open":
            if depth == 0:
                yield Token(match[0], match.start(), match.end(), 0)
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth == 0:
                yield Token(match[0], match.start(), match.end(), 0)
        elif depth == 0 and kind != "skip":
            word = b"," if kind == "list" else match[0] if kind == "sign" else b""
            yield Token(word, match.start(), match.end(), 0)


def read(source: bytes, default_format: str) -> Statement:
    """Read the one statement that ``source`` begins with.

    ``source`` may end anywhere in an INSERT's data. Raises ServerError for an empty query, for a second statement and
    for the clauses that only a client can carry out (INTO OUTFILE, FROM INFILE).
    """
    seen: list[Token] = []
    inserts_at: int | None = None
    for token in tokens(source):
        if token.word == b";" and token.depth == 0:
            _refuse_more(source, token)
            break
        seen.append(token)
        if token.depth != 0 or len(seen) < 2:
            continue
        _refuse_files(seen[-2].word, token.word)
        if inserts_at is not None:
            if (insert := _insert_with_data(source, seen, inserts_at)) is not None:
                return insert
        elif seen[-2].word == b"INSERT" and token.word == b"INTO" and seen[0].word in (b"INSERT", b"WITH"):
            inserts_at = len(seen) - 2
    if not seen:
        raise ServerError(Code.SYNTAX_ERROR, "Empty query")
    return _finished(source, seen, default_format)


def read_insert(head: bytes, default_format: str) -> Statement | None:
    """Read the INSERT that begins in a body's head, if its data do too: only they need not fit into memory."""
    if _INSERT.search(head) is None:
        return None
    with suppress(ServerError):  # of a statement cut in the middle: the whole one will be read again
        statement = read(head, default_format)
        if statement.kind is Kind.INSERT and statement.data_at < len(head):
            return statement
    return None


def read_from_file(insert: bytes, path: str, format: str) -> bytes:
    """An INSERT without its FORMAT clause, made to take its data from the file at ``path``.

    >>> read_from_file(b"INSERT INTO t (a) SETTINGS max_threads = 1", "/x", "TSV")
    b"INSERT INTO t (a) \\nFROM INFILE '/x' COMPRESSION 'none' SETTINGS max_threads = 1\\nFORMAT TSV"
    """
    seen = list(tokens(insert))
    settings = (t.start for place, t in enumerate(seen) if place > 2 and _is_clause(seen, place, b"SETTINGS"))
    at = next(settings, len(insert))
    quoted = path.replace("\\", "\\\\").replace("'", "\\'")
    clause = f"\nFROM INFILE '{quoted}' COMPRESSION 'none' ".encode()
    return insert[:at] + clause + insert[at:] + f"\nFORMAT {format}".encode()


def _insert_with_data(source: bytes, seen: list[Token], inserts_at: int) -> Statement | None:
    """The INSERT whose data begin after the last token seen, if they do."""
    last = len(seen) - 1
    if _is_clause(seen, last, b"VALUES"):
        return Statement(Kind.INSERT, source[: seen[last].start], "Values", data_at=seen[last].end, verb="INSERT")
    if not _is_clause(seen, last - 1, b"FORMAT") or not _is_name(seen[last]):
        return None
    text, structure = source[: seen[last - 1].start], None
    if any(t.depth == 0 and t.word in (b"SELECT", b"WITH") for t in seen[inserts_at:]):
        calls = ((t, _STRUCTURE.match(source, t.end)) for t in seen if t.word == b"INPUT")
        call, told = next(((t, told) for t, told in calls if told), (seen[last], None))
        if told is None:
            return None
        structure = _unquote(told[1])
        text = text[: call.start] + INPUT.encode() + text[told.end() :]
    name = source[seen[last].start : seen[last].end].decode()
    start = _data_start(source, seen[last].end)
    return Statement(Kind.INSERT, text, name, data_at=start, verb="INSERT", structure=structure)


def _finished(source: bytes, seen: list[Token], default_format: str) -> Statement:
    """A statement that ends where the source ends."""
    end = seen[-1].end
    verb = next((t.word for t in seen if t.word != b"("), b"").decode(errors="replace")
    top = [t.word for t in seen if t.depth == 0]
    if verb == "INSERT" and len(top) > 2 and not {b"SELECT", b"WITH", b"FROM"} & set(top):
        return Statement(Kind.INSERT, source[:end], default_format, data_at=len(source), verb=verb)
    writes = (b"INSERT", b"INTO") in itertools.pairwise(top)
    kind = Kind.READ if verb in ("SELECT", "WITH", "FROM") and not writes else Kind.OTHER
    for place in range(len(seen) - 2, 0, -1):
        if _is_clause(seen, place, b"FORMAT") and _ends_statement(seen[place + 1 :]):
            name = seen[place + 1]
            format = source[name.start : name.end].decode()
            return Statement(kind, source[: seen[place].start], format, source[name.end : end], verb=verb)
    return Statement(kind, source[:end], verb=verb)


def _is_clause(seen: list[Token], place: int, word: bytes) -> bool:
    """Whether the token at ``place`` is this keyword, standing where a clause can begin."""
    if place < 1 or seen[place].word != word or seen[place].depth != 0:
        return False
    return seen[place - 1].word not in _NAME_FOLLOWS


def _ends_statement(rest: list[Token]) -> bool:
    """Whether a FORMAT's name, and at most a SETTINGS clause, is all that follows."""
    return _is_name(rest[0]) and (len(rest) == 1 or rest[1].word == b"SETTINGS")


def _unquote(literal: bytes) -> str:
    inner = literal[1:-1].replace(b"''", b"'")
    return re.sub(rb"\\(.)", rb"\1", inner).decode()


def _is_name(token: Token) -> bool:
    return token.word[:1].isalpha()


def _data_start(source: bytes, at: int) -> int:
    """Where data start after a format's name: spaces and one line break are no data (as in ClickHouse's parser)."""
    while source[at : at + 1] in (b" ", b"\t", b"\f"):
        at += 1
    if source[at : at + 1] == b";":
        raise ServerError(Code.SYNTAX_ERROR, "You have excessive ';' symbol before data for INSERT")
    at += source[at : at + 1] == b"\r"
    return at + (source[at : at + 1] == b"\n")


def _refuse_more(source: bytes, end: Token) -> None:
    following = next((t for t in tokens(source[end.end :]) if t.word != b";"), None)
    if following is not None:
        place = end.end + following.start + 1
        raise ServerError(
            Code.SYNTAX_ERROR, f"Syntax error (Multi-statements are not allowed): failed at position {place}"
        )


def _refuse_files(before: bytes, word: bytes) -> None:
    if (before, word) == (b"INTO", b"OUTFILE"):
        raise ServerError(Code.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
    if (before, word) == (b"FROM", b"INFILE"):
        raise ServerError(Code.UNKNOWN_TYPE_OF_QUERY, "Query has infile and was send directly to server")
