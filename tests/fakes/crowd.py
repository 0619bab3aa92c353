"""Many clients in one thread: quick ones, slow ones, some that stall, leave or join late, some that ask for ranges.

Every byte is compared with what the origin has.
"""

import contextlib
import math
import random
import selectors
import socket
import time
from collections.abc import Sequence

from attrs import define, field

from tests.fakes.parsing import Incoming

PIECE = 256 << 10
SLOW_PIECE = 16 << 10


@define(eq=False)
class Client:
    """One download.

    Attributes:
        slow: takes a little at a time while quick ones are still at it.
        rate: takes so many bytes in a second, with a small window.
        stall_at: takes nothing more after so many bytes until all others have ended.
        leave_at: closes its connection after so many bytes; None stays.
        join_at: begins when the quickest client has so many bytes.
        fields: further header lines.
        path: asks for this in place of what the crowd asks for.
        got: bytes of the body so far; ``wrong`` once one of them was not the origin's.
        took: seconds from its request to its end.
        ended: the server closed, all bytes are there, or it has left.
        reset: the server did not close in good order.
    """

    slow: bool = False
    leave_at: int | None = None
    join_at: int = 0
    rate: float | None = None
    stall_at: int | None = None
    fields: tuple[str, ...] = ()
    method: str = "GET"
    path: str | None = None
    sock: socket.socket | None = None
    got: int = 0
    wrong: bool = False
    ended: bool = False
    reset: bool = False
    took: float = 0.0
    body: bytearray = field(factory=bytearray)
    """What came, as far as it is short or no artifact."""
    _incoming: Incoming = field(factory=Incoming)
    _first: int = 0
    _began: float = 0.0

    @property
    def status(self) -> int:
        """0 if there was none."""
        return self._incoming.status

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        return self._incoming.headers

    @property
    def clean(self) -> bool:
        """Whether the answer has ended as its framing says."""
        return self._incoming.complete

    @property
    def right(self) -> bool:
        """A clean artifact with the origin's bytes."""
        return self.clean and self.status in {200, 206} and not self.wrong

    def begin(self, port: int, path: str) -> socket.socket:
        """Connect and ask."""
        self._incoming.bodiless = self.method == "HEAD"
        self._began = time.monotonic()
        self.sock = socket.socket()
        if self.rate is not None or self.stall_at is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_PIECE)
        self.sock.connect(("127.0.0.1", port))
        lines = [f"{self.method} {self.path or path} HTTP/1.1", "Host: localhost", "Connection: close", *self.fields, "", ""]
        with contextlib.suppress(OSError):
            self.sock.sendall("\r\n".join(lines).encode())
        self.sock.setblocking(False)  # noqa: FBT003 - its signature
        return self.sock

    def read(self, expected: bytes, most: int) -> int:
        """Take what is there and compare it; how much it was."""
        assert self.sock is not None
        try:
            data = self.sock.recv(most)
        except BlockingIOError:
            return 0
        except OSError:
            data, self.reset = b"", True
        before = self.status
        body = self._incoming.feed(data)
        if self.status and not before:
            said = self.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
            self._first = int(said) if self.status == 206 and said.isdigit() else 0
        self._compare(body, expected)
        left = self.leave_at is not None and self.got >= self.leave_at
        self.ended = not data or self.clean or left
        self.took = time.monotonic() - self._began
        return len(data)

    def _compare(self, body: bytes, expected: bytes) -> None:
        if self.status in {200, 206} and not self.headers.get("content-type", "").startswith("multipart/"):
            start = self._first + self.got
            self.wrong = self.wrong or body != expected[start : start + len(body)]
            if self.clean:
                length = len(expected) if self.status == 200 else self._promised()
                self.wrong = self.wrong or (self.method == "GET" and self.got + len(body) != length)
        self.got += len(body)
        if len(self.body) < SLOW_PIECE:
            self.body += body[:SLOW_PIECE]

    def _promised(self) -> int:
        """Bytes of the part that Content-Range names."""
        said = self.headers.get("content-range", "").removeprefix("bytes ").partition("/")[0]
        first, dash, last = said.partition("-")
        return int(last) - int(first) + 1 if dash else -1

    def close(self) -> None:
        """Leave."""
        if self.sock is not None:
            self.sock.close()


@define(eq=False)
class _Crowd:
    """Who waits, who is running, who pauses until when."""

    port: int
    path: str
    expected: bytes
    clients: Sequence[Client]
    selector: selectors.BaseSelector
    waiting: list[Client] = field(init=False)
    running: set[Client] = field(factory=set, init=False)
    paused: dict[Client, float] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.waiting = sorted(self.clients, key=lambda client: client.join_at)

    def admit(self) -> None:
        """Those whose time has come begin, or go on."""
        furthest = max((client.got for client in self.clients), default=0)
        while self.waiting and (self.waiting[0].join_at <= furthest or not self.running):
            client = self.waiting.pop(0)
            self.selector.register(client.begin(self.port, self.path), selectors.EVENT_READ, client)
            self.running.add(client)
        now = time.monotonic()
        stalled = {client for client, until in self.paused.items() if until == math.inf}
        alone = not self.waiting and self.running <= stalled
        for client, until in list(self.paused.items()):
            if until <= now or (until == math.inf and alone):
                del self.paused[client]
                assert client.sock is not None
                self.selector.register(client.sock, selectors.EVENT_READ, client)

    def step(self) -> None:
        """Let everybody read who has something to read."""
        quick = any(not client.slow for client in self.running) or bool(self.waiting)
        soon = min((until - time.monotonic() for until in self.paused.values()), default=1.0)
        for key, _ in self.selector.select(max(0.0, min(soon, 0.2))):
            client = key.data
            small = (client.slow and quick) or client.rate is not None or client.stall_at is not None
            count = client.read(self.expected, SLOW_PIECE if small else PIECE)
            if client.ended:
                self.selector.unregister(key.fileobj)
                client.close()
                self.running.discard(client)
            elif client.stall_at is not None and client.got >= client.stall_at:
                client.stall_at = None
                self._pause(client, math.inf)
            elif client.rate is not None:
                self._pause(client, time.monotonic() + count / client.rate)

    def _pause(self, client: Client, until: float) -> None:
        assert client.sock is not None
        self.selector.unregister(client.sock)
        self.paused[client] = until


def run(port: int, path: str, expected: bytes, clients: Sequence[Client], seconds: float) -> None:
    """Let all of them download; ``TimeoutError`` if that takes too long."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        crowd = _Crowd(port, path, expected, clients, selector)
        try:
            while crowd.waiting or crowd.running:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{len(crowd.waiting) + len(crowd.running)} clients have not ended after {seconds:g} s")
                crowd.admit()
                crowd.step()
        finally:
            for client in crowd.running:
                client.close()


def mixed(count: int, size: int, seed: int) -> list[Client]:
    """A crowd: a quarter slow, a sixth that leaves, a quarter that joins later."""
    chance = random.Random(seed)
    clients = []
    for number in range(count):
        leave_at = chance.randrange(1, size) if number % 6 == 1 else None
        join_at = chance.randrange(0, size) if number % 4 == 2 else 0
        clients.append(Client(slow=number % 4 == 3, leave_at=leave_at, join_at=join_at))
    return clients
