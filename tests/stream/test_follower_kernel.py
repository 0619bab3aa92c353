"""A follower whose bytes the kernel sends: a real transport over a real connection, and no reactor."""

import errno
import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define, field
from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from regproxy.model.ranges import Span
from regproxy.stream import pages
from regproxy.stream.follower import BURST, LOOK, ClientGone, Sending, can_sendfile, follow
from regproxy.stream.stalls import Stalls, untaken
from tests.fakes.remote import InlinePool
from tests.stream.test_follower import DATA, SIZE, Script
from tests.stream.test_hashing import Later

HEAD = b"head"


@define(eq=False)
class Connection:
    """The server's side of a connection, as a request has it, and the client's socket."""

    client: socket.socket
    transport: Any = field(init=False)
    accountable: str = "somebody"
    sentLength: int = field(default=0, init=False)  # noqa: N815 - Twisted's name
    waits: int = field(default=0, init=False)
    cut: int = field(default=0, init=False)
    clock: Clock = field(factory=Clock, init=False)
    stalls: Stalls = field(factory=Stalls, init=False)
    ended: list[Any] = field(factory=list, init=False)
    _head: bytes = field(default=HEAD, init=False)

    @property
    def channel(self) -> Any:
        """It is its own."""
        return self

    @property
    def _networkProducer(self) -> Any:  # noqa: N802 - Twisted's name
        return self.transport

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """As a channel."""

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """As a channel."""

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """As a channel."""

    def write(self, data: bytes) -> None:
        """The first one has the headers with it."""
        head, self._head = self._head, b""
        self.transport.write(head + data)

    def wait(self) -> None:
        """It would ask the event loop when it can go on."""
        self.waits += 1

    def abort(self) -> None:
        """Count it."""
        self.cut += 1

    @property
    def delays(self) -> bool:
        """Whether the kernel gathers small pieces."""
        return not self.transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def follow(self, blob: Script, span: Span, readers: Any = None) -> None:
        """Begin."""
        sending = Sending(self.clock, readers or InlinePool(), stalls=self.stalls)
        assert can_sendfile(self, sending, span)  # type: ignore[arg-type] # enough of a request
        Deferred.fromCoroutine(follow(self, blob, span, sending)).addBoth(self.ended.append)  # type: ignore[arg-type] # as above

    def fill(self) -> None:
        """Write until the kernel takes no more."""
        before = -1
        while before != self.sentLength:
            before = self.sentLength
            self.transport.doWrite()
            self.clock.advance(0)

    def take(self, count: int) -> bytes:
        """The next bytes that the client gets, while the server writes."""
        got = bytearray()
        while len(got) < count:
            if not self.ended:
                self.transport.doWrite()
                self.clock.advance(0)
            got += self.client.recv(count - len(got))
        return bytes(got)


@pytest.fixture
def connection() -> Iterator[Connection]:
    """One that is up, of which a channel is the producer."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        ours, _ = server.accept()
        with ours:
            client.settimeout(10)
            for end in (ours, client):  # else the kernel takes all of it
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            ours.setblocking(False)  # noqa: FBT003 - its signature
            made = Connection(client)
            transport: Any = tcp.Server.__new__(tcp.Server)  # without a reactor
            FileDescriptor.__init__(transport, made)  # type: ignore[arg-type] # as above
            transport.socket, transport.connected = ours, True
            transport.startWriting, transport.stopWriting, transport.abortConnection = made.wait, lambda: None, made.abort
            transport.registerProducer(made, True)  # noqa: FBT003 - Twisted's signature
            transport.setTcpNoDelay(True)
            made.transport = transport
            yield made
            transport.connected = False  # nobody touches it any more


@pytest.fixture
def blob() -> Iterator[Script]:
    """All of it is there."""
    made = Script(there=SIZE, complete=True)
    yield made
    os.close(made.fd)


def test_the_head_and_then_the_body(connection: Connection, blob: Script) -> None:
    """Nothing overtakes what is buffered; afterwards the connection is as it was."""
    connection.follow(blob, Span(10, SIZE))
    assert (connection.sentLength, connection.waits > 0, connection.delays) == (0, True, True)
    assert connection.transport.producer is not connection
    assert connection.take(len(HEAD) + SIZE - 10) == HEAD + DATA[10:]
    assert (connection.ended, connection.sentLength, connection.cut) == ([None], SIZE - 10, 0)
    assert (connection.transport.producer, connection.transport.streamingProducer) == (connection, True)
    assert (connection.delays, blob.watchers) == (False, [])


def test_a_turn_has_one_piece(connection: Connection, blob: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of at most a burst, and no byte beyond the span; after each the event loop is asked when to go on."""
    asked: list[tuple[int, int]] = []

    def sendfile(_: int, fd: int, offset: int, count: int) -> int:
        assert fd == blob.fd
        asked.append((offset, count))
        return count

    monkeypatch.setattr(os, "sendfile", sendfile)
    connection.follow(blob, Span(0, BURST + 5))
    connection.transport.doWrite()
    assert (asked, connection.ended) == ([(0, BURST)], [])
    before = connection.waits
    connection.clock.advance(0)
    connection.transport.doWrite()
    assert (asked, connection.ended, connection.waits - before) == ([(0, BURST), (BURST, 5)], [None], 0)


def test_a_turn_that_comes_while_pages_are_fetched(connection: Connection, blob: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not fetch them once more; they follow the head when they are there."""
    later = Later()
    monkeypatch.setattr(pages, "is_hot", lambda *_: False)
    connection.follow(blob, Span(0, SIZE), later)
    for _ in range(3):
        connection.transport.doWrite()
    assert (len(later.jobs), connection.sentLength) == (1, 0)
    monkeypatch.undo()
    later.all()
    assert connection.take(len(HEAD) + SIZE) == HEAD + DATA
    assert connection.ended == [None]


def test_a_full_connection(connection: Connection, blob: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for the event loop, and goes on where it stopped."""

    def full(*_: int) -> int:
        raise BlockingIOError

    connection.follow(blob, Span(0, SIZE))
    connection.fill()
    sent, waits = connection.sentLength, connection.waits
    assert 0 < sent < SIZE
    monkeypatch.setattr(os, "sendfile", full)
    connection.transport.doWrite()
    assert (connection.sentLength, connection.waits - waits, connection.ended) == (sent, 1, [])
    monkeypatch.undo()
    assert connection.take(len(HEAD) + SIZE) == HEAD + DATA


def test_waiting_for_more(connection: Connection, blob: Script) -> None:
    """The event loop is not asked, which would say at once that it can; what comes is sent then."""
    blob.there, blob.complete = 100, False
    connection.follow(blob, Span(0, 200))
    assert connection.take(len(HEAD) + 100) == HEAD + DATA[:100]
    connection.transport.doWrite()
    waits = connection.waits
    connection.transport.doWrite()
    assert (connection.waits, connection.sentLength) == (waits, 100)
    blob.grow(150)
    assert (connection.sentLength, connection.waits) == (150, waits + 1)
    connection.transport.doWrite()
    blob.grow(200)
    assert (connection.ended, connection.waits) == ([None], waits + 1)
    assert connection.take(100) == DATA[100:200]


@pytest.mark.parametrize(("code", "doubted"), [(errno.EIO, True), (errno.EPIPE, False), (errno.ECONNRESET, False)])
def test_what_cannot_be_sent(
    connection: Connection, blob: Script, monkeypatch: pytest.MonkeyPatch, code: int, *, doubted: bool
) -> None:
    """The client is cut, and the blob doubted if it was that which failed."""

    def fail(*_: int) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "sendfile", fail)
    connection.follow(blob, Span(0, SIZE))
    connection.transport.doWrite()
    assert (connection.cut, blob.told[1:]) == (1, ["doubt"] if doubted else [])
    assert connection.ended[0].check(ClientGone)


def test_a_file_that_is_shorter(connection: Connection, blob: Script) -> None:
    """Is doubted, and not waited for."""
    os.ftruncate(blob.fd, 10)
    connection.follow(blob, Span(0, SIZE))
    connection.fill()
    assert (connection.sentLength, connection.cut, blob.told[1:]) == (10, 1, ["doubt"])


@pytest.mark.parametrize("state", ["disconnected", "not connected", "gone"])
def test_a_lost_connection(connection: Connection, blob: Script, state: str) -> None:
    """Is left alone: nobody becomes its producer."""
    connection.follow(blob, Span(0, SIZE))
    transport = connection.transport
    follower = transport.producer
    if state == "disconnected":
        transport.disconnected = True
    elif state == "not connected":
        transport.connected = False
    else:
        connection.transport = None
    follower.stopProducing()
    assert (transport.producer, connection.delays if connection.transport else True) == (follower, True)
    assert connection.ended[0].check(ClientGone)
    follower.stopProducing()
    assert len(connection.ended) == 1


def test_who_takes_of_what_the_kernel_has_does_not_stall(connection: Connection, blob: Script) -> None:
    """Though we send nothing; who takes nothing of it does."""
    connection.follow(blob, Span(0, SIZE))
    connection.fill()
    for _ in range(2):  # at what we sent, and at what is queued for the first time
        connection.clock.advance(LOOK)
        assert connection.stalls.count == 0
    for _ in range(20):  # the kernel may still be moving some
        connection.clock.advance(LOOK)
        if connection.stalls.count:
            break
    assert (connection.stalls.count, connection.cut) == (1, 0)
    queued = untaken(connection.transport.socket)
    while untaken(connection.transport.socket) >= queued:
        connection.client.recv(1 << 16)
    connection.clock.advance(LOOK)
    assert (connection.stalls.count, connection.cut) == (0, 0)


@pytest.mark.parametrize("but", ["", "switched off", "no length", "TLS", "another transport", "wrapped", "a subclass"])
def test_when_the_kernel_may_send(connection: Connection, but: str) -> None:
    """Plain TCP under HTTP/1.1, of a length that was announced."""
    span = None if but == "no length" else Span(0, 1)
    sending = Sending(connection.clock, InlinePool(), sendfile=but != "switched off")
    request: Any = connection
    if but == "TLS":
        connection.transport.TLS = True
    elif but == "another transport":
        connection.transport = StringTransport()
    elif but == "wrapped":
        request = SimpleNamespace(channel=SimpleNamespace(transport=connection.transport, _networkProducer=None))
    elif but == "a subclass":
        connection.transport.__class__ = type("Other", (tcp.Server,), {})
    assert can_sendfile(request, sending, span) is (but == "")
