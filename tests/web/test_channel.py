"""The timers of a connection, on a clock."""

from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from regproxy.web.channel import HEADER_SECONDS
from regproxy.web.site import IDLE_SECONDS, ProxySite

REQUEST = b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n"


class Answer(Resource):
    """Says ok."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def render(self, request: Any) -> bytes:
        """Say it."""
        request.setHeader("content-length", "2")
        return b"ok"


def connected() -> tuple[Clock, Any, StringTransport]:
    """A connection that has just been made."""
    clock: Any = Clock()
    channel: Any = ProxySite(Answer(), clock, lambda _: None).buildProtocol(None)
    transport = StringTransport()
    channel.makeConnection(transport)
    return clock, channel, transport


def test_an_idle_connection_is_closed() -> None:
    """After its time, and not before."""
    clock, _, transport = connected()
    clock.advance(IDLE_SECONDS - 1)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.disconnecting


def test_a_busy_connection_is_not() -> None:
    """The time begins anew with each request, though the timer is not moved."""
    clock, channel, transport = connected()
    for _ in range(3):
        clock.advance(IDLE_SECONDS - 1)
        channel.dataReceived(REQUEST)
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(IDLE_SECONDS - 1)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.disconnecting


def test_a_head_in_one_piece_needs_no_deadline() -> None:
    """Only the timer of idleness is there."""
    clock, channel, _ = connected()
    channel.dataReceived(REQUEST * 2)
    assert len(clock.getDelayedCalls()) == 1


def test_a_head_in_drops() -> None:
    """Is given its time, from the first byte on, also behind a request that was complete."""
    clock, channel, transport = connected()
    channel.dataReceived(REQUEST + REQUEST[:5])
    for byte in REQUEST[5:10]:
        clock.advance(HEADER_SECONDS / 10)
        channel.dataReceived(bytes([byte]))
    assert b" 408 " not in transport.value()
    clock.advance(HEADER_SECONDS / 2)
    assert b" 408 " in transport.value()


def test_a_lost_connection_leaves_no_timer() -> None:
    """Neither of the two."""
    clock, channel, _ = connected()
    channel.dataReceived(REQUEST[:5])
    channel.connectionLost()
    assert clock.getDelayedCalls() == []
