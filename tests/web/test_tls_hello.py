"""A client that tries TLS on a plain port learns at once that it is none."""

from typing import Any, cast

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from regproxy.web.site import ProxySite


def connected() -> tuple[Any, StringTransport]:
    """One connection."""
    protocol = cast(Any, ProxySite(Resource(), cast(Any, Clock()), lambda request: None).buildProtocol(None))
    transport = StringTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def test_tls_handshake_is_refused_at_once() -> None:
    """Container engines wait for this answer before they fall back to HTTP."""
    protocol, transport = connected()
    protocol.dataReceived(bytes.fromhex("1603010200010001fc0303"))
    assert transport.value().startswith(b"HTTP/1.1 400 ")
    assert transport.disconnecting


def test_only_the_first_byte_counts() -> None:
    """What begins as HTTP is HTTP."""
    protocol, transport = connected()
    protocol.dataReceived(b"GE")
    protocol.dataReceived(b"\x16")
    assert transport.value() == b""
    assert not transport.disconnecting
