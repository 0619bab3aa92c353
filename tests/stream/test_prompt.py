"""What is small leaves at once, and in order."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define, field
from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.testing import StringTransport

from regproxy.stream.prompt import send_at_once


@define(eq=False)
class Connection:
    """A real transport over one end of a pair, which counts when it would ask the event loop, and the client's end."""

    client: socket.socket
    server: Any = field(init=False)
    waits: int = field(default=0, init=False)

    def wait(self) -> None:
        """It would have to be told when it can go on."""
        self.waits += 1


@pytest.fixture
def connection() -> Iterator[Connection]:
    """One that is up."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(5)
        ours.settimeout(0)
        made = Connection(theirs)
        server: Any = tcp.Server.__new__(tcp.Server)  # without a reactor
        FileDescriptor.__init__(server, made)  # type: ignore[arg-type] # as above
        server.socket, server.connected, server.startWriting = ours, True, made.wait
        server.stopWriting = lambda: None
        made.server = server
        yield made


def test_at_once(connection: Connection) -> None:
    """An idle connection takes it without the event loop."""
    send_at_once(connection.server, b"answer")
    assert (connection.client.recv(100), connection.waits) == (b"answer", 0)


def test_behind_what_waits(connection: Connection) -> None:
    """Nothing overtakes what is buffered."""
    connection.server.write(b"first")
    send_at_once(connection.server, b"second")
    assert connection.waits > 0
    connection.server.doWrite()
    assert connection.client.recv(100) == b"firstsecond"


def test_the_rest_is_buffered(connection: Connection) -> None:
    """What the socket does not take waits, and nothing is lost or sent twice."""
    data = bytes(range(256)) * (1 << 15)
    send_at_once(connection.server, data)
    assert connection.waits > 0
    got = b""
    while len(got) < len(data):
        got += connection.client.recv(1 << 20)
        connection.server.doWrite()
    assert data == got


def test_a_lost_connection(connection: Connection) -> None:
    """Is found out by the transport, as ever."""
    connection.client.close()
    send_at_once(connection.server, b"answer")
    assert isinstance(connection.server.doWrite(), Exception)


@pytest.mark.parametrize("state", [{"connected": False}, {"disconnecting": True}, {"_writeDisconnected": True}])
def test_a_connection_that_is_closing(connection: Connection, state: dict[str, bool]) -> None:
    """Is left to Twisted, who knows what is still to be sent."""
    for name, value in state.items():
        setattr(connection.server, name, value)
    send_at_once(connection.server, b"answer")
    connection.client.settimeout(0)
    with pytest.raises(BlockingIOError):
        connection.client.recv(100)


def test_other_transports() -> None:
    """Are written to as usual."""
    transport = StringTransport()
    send_at_once(transport, b"answer")
    assert transport.value() == b"answer"
