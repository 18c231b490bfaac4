"""TLS in front of a server whose program here was built without it: what the client does is what it does anywhere.

PostgreSQL's clients first ask in the open whether there is TLS, and begin it after an `S`.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@contextmanager
def front(port: int, certificate: Path, *, postgres: bool = False) -> Iterator[int]:
    """A port on which TLS is spoken with this certificate and key (PEM), for as long as the block runs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    def serve(client: socket.socket) -> None:
        with suppress(OSError), client:
            if postgres:
                if client.recv(8, socket.MSG_WAITALL) != _SSL_REQUEST:
                    return  # in the open: nobody answers
                client.sendall(b"S")
            with (
                context.wrap_socket(client, server_side=True) as inner,
                socket.create_connection(("127.0.0.1", port)) as server,
            ):
                back = threading.Thread(target=pump, args=(server, inner), daemon=True)
                back.start()
                pump(inner, server)
                back.join()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(65_536):
            target.sendall(said)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
