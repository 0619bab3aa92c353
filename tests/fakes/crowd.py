"""Many clients in one thread: quick ones, slow ones, some that leave, some that join late; every byte is compared."""

import random
import selectors
import socket
import time
from collections.abc import Sequence

from attrs import define, field

PIECE = 256 << 10
SLOW_PIECE = 16 << 10


@define(eq=False)
class Client:
    """One download.

    Attributes:
        slow: takes a little at a time while quick ones are still at it.
        leave_at: closes its connection after so many bytes; None stays.
        join_at: begins when the quickest client has so many bytes.
        got: bytes of the body so far; ``wrong`` once one of them was not right.
        ended: the server closed, or all bytes are there.
    """

    slow: bool = False
    leave_at: int | None = None
    join_at: int = 0
    sock: socket.socket | None = None
    got: int = 0
    wrong: bool = False
    ended: bool = False
    _head: bytearray | None = field(factory=bytearray)

    def begin(self, port: int, path: str) -> socket.socket:
        """Connect and ask."""
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        self.sock.setblocking(False)  # noqa: FBT003 - its signature
        return self.sock

    def read(self, expected: bytes, most: int) -> None:
        """Take what is there and compare it."""
        assert self.sock is not None
        data = self.sock.recv(most)
        if not data:
            self.ended = True
        elif self._head is not None:
            self._head += data
            head, blank, body = bytes(self._head).partition(b"\r\n\r\n")
            if blank:
                self._head = None
                self.wrong = not head.startswith(b"HTTP/1.1 200 ")
                self._compare(body, expected)
        else:
            self._compare(data, expected)

    def _compare(self, data: bytes, expected: bytes) -> None:
        self.wrong = self.wrong or data != expected[self.got : self.got + len(data)]
        self.got += len(data)
        if self.got >= len(expected) or (self.leave_at is not None and self.got >= self.leave_at):
            self.ended = True

    def close(self) -> None:
        """Leave."""
        if self.sock is not None:
            self.sock.close()


def run(port: int, path: str, expected: bytes, clients: Sequence[Client], seconds: float) -> None:
    """Let all of them download; ``TimeoutError`` if that takes too long."""
    deadline = time.monotonic() + seconds
    waiting = sorted(clients, key=lambda client: client.join_at)
    with selectors.DefaultSelector() as selector:
        running: set[Client] = set()
        while waiting or running:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(waiting) + len(running)} clients have not ended")
            furthest = max((client.got for client in clients), default=0)
            while waiting and (waiting[0].join_at <= furthest or not running):
                client = waiting.pop(0)
                selector.register(client.begin(port, path), selectors.EVENT_READ, client)
                running.add(client)
            quick = any(not client.slow for client in running) or bool(waiting)
            for key, _ in selector.select(1):
                client = key.data
                client.read(expected, SLOW_PIECE if client.slow and quick else PIECE)
                if client.ended or client.wrong:
                    selector.unregister(key.fileobj)
                    client.close()
                    running.discard(client)


def mixed(count: int, size: int, seed: int) -> list[Client]:
    """A crowd: a quarter slow, a sixth that leaves, a quarter that joins later."""
    chance = random.Random(seed)
    clients = []
    for number in range(count):
        leave_at = chance.randrange(1, size) if number % 6 == 1 else None
        join_at = chance.randrange(0, size) if number % 4 == 2 else 0
        clients.append(Client(slow=number % 4 == 3, leave_at=leave_at, join_at=join_at))
    return clients
