"""Ends a connection in the middle of a response, in a way that its client hears of.

A reset is sent once. A client whose kernel has dropped a segment for want of room does not believe one that is not where it has
arrived, and as nobody sends that segment again it waits until its own patience ends. So a connection is reset when the client's
kernel has everything that was sent, which for TLS the connection below it knows. One that takes nothing is reset all the same,
and one whose kernel cannot be asked at once.
"""

import socket
import struct
from typing import cast

from attrs import define
from twisted.internet import tcp
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol

from regproxy.stream.stalls import untaken

LOOK, LONGEST_LOOK = 0.05, 1.0
PATIENCE = 10.0
_RESET = struct.pack("ii", 1, 0)


def part(transport: object, clock: IReactorTime) -> None:
    """Reset a connection on which nothing is written any more."""
    whole = cast(ITCPTransport, transport)
    below = transport.transport if isinstance(transport, TLSMemoryBIOProtocol) else transport
    if type(below) is tcp.Server and not below.TLS:
        # Whoever closes it meanwhile, because the client has said its last word perhaps, resets it, too.
        below.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        _Parting(whole, below, clock, clock.seconds() + PATIENCE).look()
    else:
        whole.abortConnection()


@define(eq=False)
class _Parting:
    _whole: ITCPTransport
    _below: tcp.Server
    _clock: IReactorTime
    _latest: float
    _pause: float = LOOK

    def look(self) -> None:
        transport = self._below
        if not transport.connected or transport.disconnected:
            return
        queued = transport.dataBuffer or transport._tempDataLen or untaken(transport.socket)  # noqa: SLF001 - pinned by tests/wire/test_sendfile.py
        if queued and self._clock.seconds() < self._latest:
            self._clock.callLater(self._pause, self.look)
            self._pause = min(2 * self._pause, LONGEST_LOOK)  # there may be thousands
        else:
            self._whole.abortConnection()
