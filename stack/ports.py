"""Free ports on 127.0.0.1, and whether something answers there."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from contextlib import suppress

HOST = "127.0.0.1"

# Below the range from which Linux (32768 on) and macOS (49152 on) take the ports of outgoing connections: a
# server's port kept over a restart is then not lost to some client's connection, and a client that knocks while
# the server is away cannot be given that very port and end up connected to itself.
_RANGE = range(15_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind((HOST, port))
            probe.listen(1)
            return True
    return False


def choose(taken: Collection[int] = ()) -> int:
    """A free port, drawn at random so that two stacks starting at once hardly ever meet."""
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port on {HOST} between {_RANGE.start} and {_RANGE.stop - 1}")


def ask(port: int, request: bytes, *, timeout_s: float = 5.0) -> bytes | None:
    """Send ``request`` and return the first bytes that come back; None if nobody answers in time."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=timeout_s) as connection:
        if connection.getsockname() == connection.getpeername():  # connected to ourselves: nobody listens there
            return None
        connection.sendall(request)
        return connection.recv(65_536) or None
    return None
