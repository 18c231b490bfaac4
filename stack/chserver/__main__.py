"""`python -m stack.chserver --data FOLDER --port N …`: serve until SIGTERM or SIGINT."""

import argparse
import asyncio
import errno
import fcntl
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import IO

from aiohttp import web

from stack.chserver import analyst
from stack.chserver.app import Front
from stack.chserver.asked import Account
from stack.chserver.engine import Engine
from stack.chserver.errors import ServerError

_KEEP_ALIVE_S = 600.0  # long: a client that finds its pooled connection closed has to send its insert again
_LONGEST_LINE = 1 << 20  # ClickHouse's http_max_uri_size


class CannotStart(Exception):
    """Why this server cannot start, in one line."""


def main() -> int:
    """Serve; the exit code is 0 after an orderly stop, 1 with one line on stderr when the start fails."""
    args = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("aiohttp").setLevel(logging.ERROR)
    try:
        folder = Path(args.data).absolute()
        password = os.environ.get("DAYBOOK_CHSERVER_PASSWORD", "") if args.password is None else args.password
        account = Account(args.user, password)
        key = os.environ.get("DAYBOOK_CHSERVER_ANALYST_PASSWORD")
        with _Owned(folder):
            asyncio.run(_serve(folder, account, Account(analyst.USER, key) if key else None, args))
    except CannotStart as why:
        print(f"chserver: {why}", file=sys.stderr)
        return 1
    return 0


async def _serve(folder: Path, account: Account, asking: Account | None, args: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    scratch = folder / "requests"
    shutil.rmtree(scratch, ignore_errors=True)  # left by a process that was killed
    scratch.mkdir()
    try:
        engine = Engine(folder / "clickhouse", args.database, scratch)
    except ServerError as error:
        raise CannotStart(f"cannot open the data in {folder}: {error.message.splitlines()[0]}") from None
    except ImportError as error:
        raise CannotStart(f"cannot load ClickHouse's engine: {error}") from None
    try:
        front = Front(engine, account, scratch, asking, args.database)
        runner = web.AppRunner(
            front.app(),
            access_log=None,
            auto_decompress=False,
            handle_signals=False,
            shutdown_timeout=args.grace,
            keepalive_timeout=_KEEP_ALIVE_S,
            read_bufsize=1 << 20,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, args.host, args.port, backlog=256).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            why = "the port is taken" if taken else str(error)
            raise CannotStart(f"cannot listen on {args.host}:{args.port}: {why}") from None
        logging.getLogger("chserver").info(
            "ready: ClickHouse %s on http://%s:%d/", engine.version, args.host, args.port
        )
        await stop.wait()
        logging.getLogger("chserver").info("stopping")
        await runner.cleanup()
    finally:
        engine.close()
        shutil.rmtree(scratch, ignore_errors=True)


class _Owned:
    """Own the folder while the block runs; the lock goes with the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        if "?" in str(self._folder):
            raise CannotStart(f"cannot keep data in {self._folder}: chdb opens no folder with a ? in its path")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = (self._folder / "chserver.lock").open("a+")
        except OSError as error:
            raise CannotStart(f"cannot write in {self._folder}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            raise CannotStart(f"{self._folder} is in use by another chserver (process {holder})") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            self._file.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m stack.chserver", description=__doc__)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="where the data live; made when missing")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--user", default="default")
    parser.add_argument("--password", help="else DAYBOOK_CHSERVER_PASSWORD, else none")
    parser.add_argument("--database", default="daybook", help="made when missing")
    parser.add_argument("--grace", type=float, default=20.0, help="seconds that requests may still run after SIGTERM")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
