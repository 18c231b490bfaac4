"""Errors in ClickHouse's own form: a number, a name, a text, and the HTTP status that the real server gives them.

Source of the statuses: ClickHouse, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp.
"""

import re
from enum import IntEnum


class Code(IntEnum):
    """The ClickHouse error numbers that this server raises itself."""

    UNSUPPORTED_PARAMETER = 2
    BAD_ARGUMENTS = 36
    NOT_IMPLEMENTED = 48
    LOGICAL_ERROR = 49
    SYNTAX_ERROR = 62
    UNKNOWN_FORMAT = 73
    UNKNOWN_TYPE_OF_QUERY = 78
    READONLY = 164
    REQUIRED_PASSWORD = 194
    QUOTA_EXCEEDED = 201
    QUERY_IS_TOO_LARGE = 229
    ABORTED = 236
    NOT_ENOUGH_SPACE = 243
    ZLIB_INFLATE_FAILED = 354
    INTO_OUTFILE_NOT_ALLOWED = 358
    SESSION_NOT_FOUND = 372
    SESSION_IS_LOCKED = 373
    INVALID_SESSION_TIMEOUT = 374
    HTTP_LENGTH_REQUIRED = 381
    ACCESS_DENIED = 497
    AUTHENTICATION_FAILED = 516
    LZMA_STREAM_DECODER_FAILED = 554
    ZSTD_DECODER_FAILED = 561
    BZIP2_STREAM_DECODER_FAILED = 594
    LZ4_DECODER_FAILED = 618
    STD_EXCEPTION = 1001


_STATUS: dict[int, int] = {
    **dict.fromkeys((194,), 401),
    **dict.fromkeys((192, 193, 497, 512, 516), 403),
    **dict.fromkeys((6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117), 400),
    **dict.fromkeys((123, 167, 168, 223, 321, 376, 427, 441, 675, 676), 400),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511), 404),
    **dict.fromkeys((159,), 408),
    **dict.fromkeys((381,), 411),
    **dict.fromkeys((229,), 413),
    **dict.fromkeys((779,), 415),
    **dict.fromkeys((48,), 501),
    **dict.fromkeys((76, 209, 439), 503),
}
_NAMES = {int(code): code.name for code in Code}
_ENGINE_TEXT = re.compile(r"Code: (\d+)\. (.*)", re.DOTALL)
_NESTED = re.compile(
    r"^DB::Exception: Code: \d+\. (DB::Exception: .*?)( \(version [^)]*\))?\.? \([A-Z_]+\)$", re.DOTALL
)
_VERSION = re.compile(r"\s*\(version [^)]*\)\s*$")


class ServerError(Exception):
    """A refusal or a failure, to be answered as ClickHouse answers it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status of this error."""
        return _STATUS.get(self.code, 500)

    def text(self, version: str) -> str:
        """The line that ClickHouse would send: ``Code: 60. DB::Exception: … (UNKNOWN_TABLE) (version …)``."""
        body = self.message
        if not body.startswith(("DB::", "Coordination::", "std::")):
            name = _NAMES.get(self.code, "UNKNOWN_EXCEPTION")
            body = f"DB::Exception: {body}. ({name})"
        return f"Code: {self.code}. {body} (version {version} (official build))"


def from_engine(raised: Exception) -> ServerError:
    """Take an exception of chdb apart; it carries the code only in its text."""
    text = str(raised)
    found = _ENGINE_TEXT.search(text)
    if found is None:
        return ServerError(Code.STD_EXCEPTION, text.strip() or type(raised).__name__)
    message = _VERSION.sub("", found[2].strip())
    while nested := _NESTED.match(message):  # an error told by one part of the engine to another
        message = nested[1]
    return ServerError(int(found[1]), message)
