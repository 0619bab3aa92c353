"""A TCP relay, as a proxy in front of regproxy is one: what breaks behind it, ends in good order before it.

So a client sees a body that is too short where regproxy, for itself, would have reset the connection.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

from attrs import define, field

PIECE = 1 << 16
RECORD_LIMIT = 1 << 20
JOIN_SECONDS = 10.0


@define(eq=False)
class Relay:
    """Listens on 127.0.0.1 until it is left.

    Attributes:
        target: port of 127.0.0.1 that connections are handed to.
        most: bytes of one client's that are handed on; then both are cut. None: all.
        changed: what becomes of some bytes of clients, if they come in one piece.
        said: what clients have sent.
    """

    target: int
    most: int | None = None
    changed: tuple[bytes, bytes] = (b"", b"")
    said: bytearray = field(factory=bytearray)
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _threads: list[threading.Thread] = field(factory=list)

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        self._listener.close()

    @property
    def url(self) -> str:
        """Its address: no slash at the end."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _spawn(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            asking = self._spawn(_copy, client, server, self.said, self.most, self.changed)
            _copy(server, client, bytearray())
            asking.join(JOIN_SECONDS)


def _copy(
    source: socket.socket,
    sink: socket.socket,
    record: bytearray,
    most: int | None = None,
    changed: tuple[bytes, bytes] = (b"", b""),
) -> None:
    sent = 0
    with contextlib.suppress(OSError):
        while data := source.recv(PIECE):
            sent += len(data)
            if most is not None and sent > most:
                source.shutdown(socket.SHUT_RDWR)
                break
            if len(record) < RECORD_LIMIT:
                record += data
            sink.sendall(data.replace(*changed) if changed[0] else data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
