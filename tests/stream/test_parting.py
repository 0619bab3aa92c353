"""A connection that is cut in the middle of a response: reset when the client's kernel has what was sent, or takes nothing."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from attrs import define, field
from twisted.internet import tcp
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOProtocol

from regproxy.stream.parting import LONGEST_LOOK, LOOK, PATIENCE, part

SENT = 1 << 20


@define(eq=False)
class Connection:
    """A transport over a real socket whose client has read nothing."""

    transport: Any
    below: Any
    client: socket.socket
    clock: Clock = field(factory=Clock)
    resets: list[float] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.transport.abortConnection = lambda: self.resets.append(self.clock.seconds())

    def read(self) -> None:
        """The client takes everything."""
        while True:
            try:
                self.client.recv(SENT, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return


def _fill(connection: socket.socket) -> None:
    with suppress(BlockingIOError):
        while True:
            connection.send(bytes(SENT))


@pytest.fixture(params=["plain", "TLS"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """One of loopback, as full as it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        below = tcp.Server.__new__(tcp.Server)
        below.socket, below.connected, below.disconnected = accepted, 1, 0
        below.dataBuffer, below._tempDataLen = b"", 0
        accepted.setblocking(False)  # noqa: FBT003 - its signature
        _fill(accepted)
        transport: Any = below
        if request.param == "TLS":
            transport = TLSMemoryBIOProtocol.__new__(TLSMemoryBIOProtocol)
            transport.transport = below
        yield Connection(transport, below, client)
        accepted.close()


def test_when_everything_has_arrived(connection: Connection) -> None:
    """Not before."""
    part(connection.transport, connection.clock)
    connection.clock.pump([LOOK] * 20)
    assert connection.resets == []
    for _ in range(100):
        connection.read()
        connection.clock.advance(LOOK)
        if connection.resets:
            break
    assert len(connection.resets) == 1
    assert connection.resets[0] < PATIENCE
    connection.clock.advance(PATIENCE)
    assert len(connection.resets) == 1


def test_what_is_not_with_the_kernel_yet(connection: Connection) -> None:
    """It is waited for as well."""
    connection.below.dataBuffer = b"more"
    part(connection.transport, connection.clock)
    for _ in range(20):
        connection.read()
        connection.clock.advance(LOOK)
    assert connection.resets == []
    connection.below.dataBuffer = b""
    connection.clock.advance(LONGEST_LOOK)
    assert len(connection.resets) == 1


def test_a_client_that_takes_nothing(connection: Connection) -> None:
    """Is not waited for without an end."""
    part(connection.transport, connection.clock)
    connection.clock.pump([LOOK] * (int((PATIENCE + LONGEST_LOOK) / LOOK) + 1))
    assert connection.resets == [pytest.approx(PATIENCE, abs=LONGEST_LOOK)]


def test_a_client_that_leaves(connection: Connection) -> None:
    """There is nothing to be done."""
    part(connection.transport, connection.clock)
    connection.below.connected = 0
    connection.clock.advance(LOOK)
    assert (connection.resets, connection.clock.getDelayedCalls()) == ([], [])
