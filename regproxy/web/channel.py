"""The edge: what Twisted's HTTP/1.1 parser lets pass and we don't, and limits that it does not have.

Refused with 400: no Host or several, a Host with other characters than a name, an address and a port have, folded headers,
any target but an absolute path, CONNECT, Transfer-Encoding under HTTP/1.0. 413: a body of a method that has none to speak of;
others have the limits of their routes. 414 and 431: too long a target, too many headers. 408: headers that take longer than
``HEADER_SECONDS``, however steadily they drip. A connection that was refused, or answered before the body was complete, is never
used again: it is closed for writing, and what the client is still sending is thrown away for a moment, since a reset would take
the answer from it.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, ITCPTransport
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel, Request
from twisted.web.http_headers import Headers

from regproxy.stream.prompt import send_at_once
from regproxy.web.request import SMALL, STREAMED

HEADER_SECONDS = 10.0
HEADERS_LIMIT = 64 << 10
TARGET_LIMIT = 16 << 10
LENGTH_LINE = 64
LINGER_SECONDS = 2.0
LINGER_BYTES = 1 << 20
# Clients that read the answer only when they have sent a good part of the body are given the time to.
EARLY_SECONDS = 5.0
EARLY_BYTES = 64 << 20
LARGEST_LENGTH = 1 << 50
TLS_HANDSHAKE = b"\x16"
"""How a client begins that tries TLS first, as docker, podman and skopeo do: it goes on to HTTP when it is told so at once."""

_LOST = Failure(ConnectionDone())

_READ = frozenset({b"GET", b"HEAD"})
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def _is_plain(command: bytes, path: bytes) -> bool:
    """Whether it is what nearly all requests are; the others are looked at one sign after the other."""
    return command in _READ and path.startswith(b"/") and b"#" not in path and len(path) <= TARGET_LIMIT


class Edge(HTTPChannel):
    """One connection of a client."""

    totalHeadersSize = HEADERS_LIMIT  # noqa: N815 - Twisted's name
    MAX_LENGTH = HEADERS_LIMIT
    site: Any
    is_closing = False
    certified: tuple[str, ...] | None = None
    """The names in the client's certificate; None until somebody has looked."""
    _asked: Sequence[bytes] | None = None
    """The Host of a request of this connection that was found good: that of the next is the same."""
    _allowance = LINGER_BYTES
    _deadline: IDelayedCall | None = None
    _in_headers = False
    _is_fresh = True
    _pieces: list[bytes] | None = None
    _client = ""
    _host: IAddress | None = None
    _idle: IDelayedCall | None = None
    _idle_since = 0.0

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """A client is there."""
        self._client = str(getattr(cast(ITCPTransport, self.transport).getPeer(), "host", ""))
        self.site.open.add(self)
        self.site.doors.enter(self._client)
        HTTPChannel.connectionMade(self)

    @property
    def is_busy(self) -> bool:
        """Whether there is a request on it, or the first bytes of one."""
        return bool(self.requests) or self._in_headers or bool(self._buffer)

    def requestDone(self, request: Request) -> None:  # noqa: N802 - Twisted's name
        """One response is complete."""
        HTTPChannel.requestDone(self, request)
        if self.site.is_ending and not self.is_busy:
            self.loseConnection()

    def abort(self) -> None:
        """Cut the connection."""
        cast(ITCPTransport, self.transport).abortConnection()

    def connectionLost(self, reason: Failure = _LOST) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone."""
        self._stop_deadline()
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self in self.site.open:
            self.site.open.remove(self)
            self.site.doors.leave(self._client)
        HTTPChannel.connectionLost(self, reason)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take bytes; the deadline runs from the first byte of a request to the end of its headers."""
        if self.is_closing:
            self._discard(len(data))
            return
        if self._is_fresh and data[:1] == TLS_HANDSHAKE:
            self.refuse(400, "this is HTTP, not TLS")
            return
        self._is_fresh = False
        HTTPChannel.dataReceived(self, data)
        # Most heads come in one piece and need no timer; a first line that is not complete is in the buffer.
        begun = self._in_headers or (self._buffer and not self._handlingRequest and self._transferDecoder is None)
        if begun and self._deadline is None and not self.is_closing:
            self._deadline = self.callLater(HEADER_SECONDS, self._too_late)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take a line of a request's head."""
        if self.is_closing:
            return
        self._in_headers = True
        if line[:1] in (b" ", b"\t"):
            self.refuse(400, "folded or indented header line")
        elif self._receivedHeaderSize + len(line) > self.totalHeadersSize:
            self._too_long()
        else:
            HTTPChannel.lineReceived(self, line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002, N802 - Twisted's
        """Refuse a line that does not end."""
        self._too_long()

    def _too_long(self) -> None:
        if self._receivedHeaderSize:
            self.refuse(431, "the headers are too large")
        else:
            self.refuse(414, "the target is too long")

    def allHeadersReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Look at the head as a whole."""
        self._stop_deadline()
        self._in_headers = False
        trouble = self._trouble()
        if trouble is not None:
            self.refuse(*trouble)
        else:
            HTTPChannel.allHeadersReceived(self)

    def allContentReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Hand the request on, unless it was refused."""
        if not self.is_closing:
            HTTPChannel.allContentReceived(self)

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802 - Twisted's name
        """Take one header; a Content-Length of absurdly many digits is none that ``int`` should see."""
        if len(line) > LENGTH_LINE and line[:15].lower() == b"content-length:":
            self.refuse(400, "not a Content-Length")
            return False
        taken: bool = HTTPChannel.headerReceived(self, line)
        return taken

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take bytes of a body, unless the request was refused."""
        if not self.is_closing:
            HTTPChannel.rawDataReceived(self, data)

    def setTimeout(self, period: int | None) -> int | None:  # noqa: N802 - Twisted's name
        """Watch for idleness, or no longer. One timer stays and looks: a busy connection does not move it for each request."""
        before = self.timeOut
        self.timeOut = period
        self.resetTimeout()
        if period is not None and self._idle is None:
            self._idle = self.callLater(period, self._look)
        return before

    def resetTimeout(self) -> None:  # noqa: N802 - Twisted's name
        """It is not idle now."""
        self._idle_since = self.site.reactor.seconds()

    def _look(self) -> None:
        self._idle = None
        if self.timeOut is None:
            return
        left = self._idle_since + self.timeOut - self.site.reactor.seconds()
        if left > 0:
            self._idle = self.callLater(left, self._look)
        else:
            self.timeoutConnection()

    def timeoutConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Close a connection that is idle; one that still has a response to take is not, nor one whose body we don't ask for."""
        if self._waitingForTransport or any(request.is_waited_for for request in self.requests):
            self.setTimeout(self.timeOut)
        else:
            HTTPChannel.timeoutConnection(self)

    def _trouble(self) -> tuple[int, str] | None:
        headers = self.requests[-1].requestHeaders
        hosts = headers.getRawHeaders(b"host", [])
        codings = headers.getRawHeaders(b"transfer-encoding", [])
        if not codings and not self.length and _is_plain(self._command, self._path) and hosts == self._asked:
            return None
        old = self._version == b"HTTP/1.0"
        signs = (
            (len(hosts) != 1 and bool(hosts or not old), 400, "exactly one Host is expected"),
            (bool(hosts) and not _HOST.fullmatch(hosts[0]), 400, "not a Host"),
            (not self._path.startswith(b"/") or self._command == b"CONNECT", 400, "an absolute path is expected"),
            (b"#" in self._path, 400, "no fragment is expected"),
            (len(self._path) > TARGET_LIMIT, 414, "the target is too long"),
            (bool(codings) and (old or codings[0].lower() != b"chunked"), 400, "not a Transfer-Encoding that is expected"),
            ((self.length or 0) > (LARGEST_LENGTH if self._command in STREAMED else SMALL), 413, "the body is too large"),
        )
        for wrong, status, reason in signs:
            if wrong:
                return status, reason
        self._asked = hosts or None
        return None

    def refuse(self, status: int, reason: str) -> None:
        """Answer without a request and close: nothing that follows on this connection can be believed."""
        if self.is_closing:
            return
        phrase = RESPONSES.get(status, b"Refused")
        body = reason.encode("ascii") + b"\n"
        head = b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        assert self.transport is not None
        self.transport.write(head % (status, phrase, len(body)) + body)
        self._close(LINGER_SECONDS, LINGER_BYTES)

    def close_behind_answer(self) -> None:
        """A request was answered before its body was complete."""
        self._close(EARLY_SECONDS, EARLY_BYTES)

    def _close(self, seconds: float, allowance: int) -> None:
        self.is_closing = True
        self._allowance = allowance
        self._stop_deadline()
        self.setTimeout(None)
        transport = cast(tcp.Server, self.transport)
        transport.resumeProducing()
        if type(transport) is tcp.Server and not transport.TLS:
            transport.unregisterProducer()
            transport.loseWriteConnection()
        else:
            self.loseConnection()
        self._deadline = self.callLater(seconds, self._drop)

    # What a body (``body.Wire``) needs of its connection.

    def hold(self) -> None:
        """Read no more for now."""
        if not self.is_closing:
            cast(tcp.Server, self.transport).pauseProducing()

    def flow(self) -> None:
        """Read on, unless the client has an answer to take first."""
        if not (self.is_closing or self._waitingForTransport):
            cast(tcp.Server, self.transport).resumeProducing()

    def go_ahead(self) -> None:
        """Send ``100 Continue``."""
        self._send100Continue()

    def request_line(self) -> tuple[bytes, bytes, bytes]:
        """Method, target and version of the request whose headers have come: Twisted tells the request only behind its body."""
        return self._command, self._path, self._version

    def getHost(self) -> IAddress:  # noqa: N802 - Twisted's name
        """Our end of the connection, which the system is asked for once."""
        if self._host is None:
            self._host = HTTPChannel.getHost(self)
        return self._host

    def gather(self) -> None:
        """What is written from now on leaves together."""
        self._pieces = []

    def let_go(self) -> None:
        """Send what was gathered, at once if it can be."""
        pieces, self._pieces = self._pieces or [], None
        send_at_once(self.transport, b"".join(pieces))

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:  # noqa: N802 - Twisted's name
        """Write the head of a response."""
        fields = [b"%b: %b\r\n" % (name, value) for name, values in headers.getAllRawHeaders() for value in values]
        self.write(b"%b %b %b\r\n%b\r\n" % (version, code, reason, b"".join(fields)))

    def write(self, data: bytes) -> None:
        """Write bytes of a response; the head of a large one leaves at once, so that its body need not wait for a turn."""
        if self._pieces is None:
            send_at_once(self.transport, data)
        else:
            self._pieces.append(data)

    def writeSequence(self, iovec: list[bytes]) -> None:  # noqa: N802 - Twisted's name
        """Write a chunk of a response."""
        if self._pieces is None:
            HTTPChannel.writeSequence(self, iovec)
        else:
            self._pieces.extend(iovec)

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted's name, pinned by tests/wire
        reason = "not HTTP as it is spoken here"
        if self._transferDecoder is None or not self.requests[-1].spoil(reason):
            self.refuse(400, reason)

    def _discard(self, count: int) -> None:
        self._allowance -= count
        if self._allowance < 0:
            self._drop()

    def _drop(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        cast(tcp.Server, self.transport).abortConnection()

    def _too_late(self) -> None:
        self._deadline = None
        self.refuse(408, "the headers take too long")

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
