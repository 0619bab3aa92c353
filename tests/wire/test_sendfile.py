"""What we rely on in Twisted that has no public name: these fail on an upgrade before clients do."""

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel

from regproxy.web.channel import Edge


def test_the_transports_buffers() -> None:
    """The kernel may send only while both are empty."""
    descriptor = FileDescriptor()
    assert (descriptor.dataBuffer, descriptor._tempDataLen, descriptor._writeDisconnected) == (b"", 0, False)
    assert issubclass(tcp.Server, FileDescriptor)


def test_the_transport_is_its_own_network_producer() -> None:
    """The channel wraps transports that are none."""
    channel = HTTPChannel()
    transport = StringTransport()
    channel.makeConnection(transport)
    assert channel._networkProducer is transport
    channel.setTimeout(None)


def test_the_channels_state() -> None:
    """What the edge reads and overrides."""
    channel = HTTPChannel()
    assert (channel._handlingRequest, channel._transferDecoder, channel._receivedHeaderSize) == (False, None, 0)
    assert (channel._waitingForTransport, channel._buffer) == (False, b"")
    for name in ("_respondToBadRequestAndDisconnect", "lineLengthExceeded", "allHeadersReceived", "headerReceived"):
        assert getattr(Edge, name) is not getattr(HTTPChannel, name)
