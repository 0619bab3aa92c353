"""Heads of answers, byte by byte."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from regproxy.errors import RegproxyError
from regproxy.upstream.gate import Gate, Gates, status_of


class Client(Protocol):
    """Takes what the gate lets through."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Keep."""
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Keep."""
        self.lost.append(reason)


def opened() -> tuple[Gate, Client]:
    """A gate, and the client behind it, which has sent a request."""
    client = Client()
    gates = Gates(Factory.forProtocol(lambda: client))
    gate = gates.buildProtocol(None)
    assert isinstance(gate, Gate)
    gate.makeConnection(StringTransport())
    gate.write(b"GET / HTTP/1.1\r\n\r\n")
    return gate, client


ANSWER = b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nbody\r\n\r\nHTTP/1.1 nonsense\r\n\r\n\0\r"


@given(st.lists(st.integers(0, len(ANSWER)), max_size=20))
def test_any_split(cuts: list[int]) -> None:
    """However it arrives, a good head and its body pass unchanged."""
    gate, client = opened()
    edges = [0, *sorted(cuts), len(ANSWER)]
    for start, end in itertools.pairwise(edges):
        gate.dataReceived(ANSWER[start:end])
    assert (client.data, client.lost) == (ANSWER, [])


def test_how_much_is_read() -> None:
    """Little with a head, then more each time up to what the connection was made for; with the next request, little again."""
    gate, _ = opened()
    transport: Any = gate.transport
    transport.bufferSize = 300 << 10
    gate.write(b"the request's body")
    assert transport.bufferSize == 300 << 10  # the request is the same
    gate.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
    gate.write(b"GET / HTTP/1.1\r\n\r\n")
    sizes = [transport.bufferSize]
    for data in (b"HTTP/1.1 200 OK\r\n", b"\r\n", b"a", b"b", b"c", b"d"):
        gate.dataReceived(data)
        sizes.append(transport.bufferSize)
    assert [size >> 10 for size in sizes] == [64, 64, 64, 128, 256, 300, 300]


def test_what_nobody_asked_for() -> None:
    """Bytes before any request are the client's business, which drops the connection."""
    client = Client()
    gate = Gates(Factory.forProtocol(lambda: client)).buildProtocol(None)
    assert isinstance(gate, Gate)
    gate.makeConnection(StringTransport())
    gate.dataReceived(b"SSH-2.0")
    assert client.data == b"SSH-2.0"


BAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


@given(st.lists(st.integers(0, len(BAD)), max_size=20))
def test_a_bad_head_is_refused(cuts: list[int]) -> None:
    """However it arrives, the connection is dropped, once, and nothing of the body passes."""
    gate, client = opened()
    edges = [0, *sorted(cuts), len(BAD)]
    for start, end in itertools.pairwise(edges):
        gate.dataReceived(BAD[start:end])
    gate.connectionLost()
    assert [type(each.value) for each in client.lost] == [RegproxyError]
    assert not client.data.endswith(b"\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("piece", [1000, 16 << 10, 100_000])
def test_a_long_line_is_a_bad_answer(piece: int) -> None:
    """And not a closed connection, which would be believed of the whole host."""
    gate, client = opened()
    head = b"HTTP/1.1 200 OK\r\nx: " + b"y" * 30_000 + b"\r\n\r\n"
    for at in range(0, len(head), piece):
        gate.dataReceived(head[at : at + piece])
    assert [str(each.value) for each in client.lost] == ["upstream sent too large a header"]


def test_a_long_line_of_a_body_passes() -> None:
    """It is none of a head."""
    gate, client = opened()
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 30_000
    gate.dataReceived(answer)
    assert (client.data, client.lost) == (answer, [])


def test_the_next_answer_is_looked_at() -> None:
    """A connection that is used again is watched again."""
    gate, client = opened()
    gate.dataReceived(b"HTTP/1.1 204 No\r\n\r\n")
    gate.writeSequence([b"GET / HTTP/1.1\r\n\r\n"])
    gate.dataReceived(b"HTTP/1.1 99 Low\r\n\r\n")
    assert len(client.lost) == 1


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"HTTP/1.1 200 OK", 200),
        (b"HTTP/1.0 404", 404),
        (b'HTTP/1.1 200 OK\r\nx: y\r\nETag: "\xe4"', 200),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: Chunked", 200),
        (b"HTTP/1.1 500 \r\nempty:", 500),
        (b"HTTP/1.1 200 OK\r\nContent-Length:" + b"9" * 18 + b" ", 200),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 16_000 + b"\r\nx: " + b"y" * 16_000, 200),
    ],
)
def test_good(block: bytes, status: int) -> None:
    """Heads as servers write them."""
    assert status_of(block) == status


@pytest.mark.parametrize(
    "block",
    [
        *(b"", b"HTTP/1.1 200OK", b"HTTP/2 200", b"http/1.1 200 OK", b"HTTP/1.1 600 X", b"HTTP/1.1 +20 X", b"HTTP/1.1 200 a\0"),
        *(b"HTTP/1.1 200 OK\r\nx", b"HTTP/1.1 200 OK\r\nx : y", b"HTTP/1.1 200 OK\r\n: y", b"HTTP/1.1 200 OK\r\n y"),
        *(b"HTTP/1.1 200 OK\r\nx: a\rb", b"HTTP/1.1 200 OK\r\nx: \x7f", b"HTTP/1.1 101 X"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        *(b"HTTP/1.1 200 OK\r\nContent-Length: " + length for length in (b"-5", b"+5", b"5 5", b"5, 5", b"", b"1" + b"0" * 18)),
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * (16 << 10) + b"\r\nz: y",
    ],
)
def test_bad(block: bytes) -> None:
    """Heads that nobody should write."""
    with pytest.raises(ValueError, match="s"):
        status_of(block)
