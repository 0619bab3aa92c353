"""The edge: what Twisted's HTTP/1.1 parser lets pass and we don't, and limits that it does not have.

Refused with 400: no Host or several, a Host with other characters than a name, an address and a port have, folded headers,
any target but an absolute path, CONNECT, Transfer-Encoding under HTTP/1.0. 413: a body beyond the limit, before it is read.
414 and 431: too long a target, too many headers. 408: headers that take longer than ``HEADER_SECONDS``, however steadily
they drip. A connection that was refused is never used again: it is closed for writing, and what the client is still sending
is thrown away for a moment, since a reset would take the answer from it.
"""

import re
from typing import cast

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel

from regproxy.web.request import BODY_LIMIT

HEADER_SECONDS = 10.0
HEADERS_LIMIT = 64 << 10
TARGET_LIMIT = 16 << 10
LENGTH_LINE = 64
LINGER_SECONDS = 2.0
LINGER_BYTES = 1 << 20
TLS_HANDSHAKE = b"\x16"
"""How a client begins that tries TLS first, as docker, podman and skopeo do: it goes on to HTTP when it is told so at once."""

_LOST = Failure(ConnectionDone())

_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class Edge(HTTPChannel):
    """One connection of a client."""

    totalHeadersSize = HEADERS_LIMIT  # noqa: N815 - Twisted's name
    MAX_LENGTH = HEADERS_LIMIT
    _refused = False
    _deadline: IDelayedCall | None = None
    _in_headers = False
    _is_fresh = True
    _discarded = 0

    def connectionLost(self, reason: Failure = _LOST) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone."""
        self._stop_deadline()
        HTTPChannel.connectionLost(self, reason)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take bytes; the deadline runs from the first byte of a request to the end of its headers."""
        if self._refused:
            self._discard(len(data))
            return
        if self._is_fresh and data[:1] == TLS_HANDSHAKE:
            self.refuse(400, "this is HTTP, not TLS")
            return
        self._is_fresh = False
        if not self._handlingRequest and not self._in_headers and self._transferDecoder is None:
            self._in_headers = True
            self._deadline = self.callLater(HEADER_SECONDS, self._too_late)
        HTTPChannel.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take a line of a request's head."""
        if self._refused:
            return
        if not self._in_headers:  # a request that was sent before the answer to the one before it
            self._in_headers = True
            self._deadline = self.callLater(HEADER_SECONDS, self._too_late)
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
        if not self._refused:
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
        if not self._refused:
            HTTPChannel.rawDataReceived(self, data)

    def timeoutConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Close a connection that is idle; one that still has a response to take is not."""
        if self._waitingForTransport:
            self.resetTimeout()
        else:
            HTTPChannel.timeoutConnection(self)

    def _trouble(self) -> tuple[int, str] | None:
        headers = self.requests[-1].requestHeaders
        hosts = headers.getRawHeaders(b"host", [])
        codings = headers.getRawHeaders(b"transfer-encoding", [])
        old = self._version == b"HTTP/1.0"
        signs = [
            (len(hosts) != 1 and bool(hosts or not old), 400, "exactly one Host is expected"),
            (bool(hosts) and not _HOST.fullmatch(hosts[0]), 400, "not a Host"),
            (not self._path.startswith(b"/") or self._command == b"CONNECT", 400, "an absolute path is expected"),
            (b"#" in self._path, 400, "no fragment is expected"),
            (len(self._path) > TARGET_LIMIT, 414, "the target is too long"),
            (bool(codings) and (old or codings[0].lower() != b"chunked"), 400, "not a Transfer-Encoding that is expected"),
            (self.length is not None and self.length > BODY_LIMIT, 413, "the body is too large"),
        ]
        return next(((status, reason) for wrong, status, reason in signs if wrong), None)

    def refuse(self, status: int, reason: str) -> None:
        """Answer without a request and close: nothing that follows on this connection can be believed."""
        if self._refused:
            return
        self._refused = True
        self._stop_deadline()
        phrase = RESPONSES.get(status, b"Refused")
        body = reason.encode("ascii") + b"\n"
        head = b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        assert self.transport is not None
        self.transport.write(head % (status, phrase, len(body)) + body)
        if type(self.transport) is tcp.Server and not self.transport.TLS:
            self.setTimeout(None)
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()
            self._deadline = self.callLater(LINGER_SECONDS, self._drop)
        else:
            self.loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted's name, pinned by tests/wire
        self.refuse(400, "not HTTP as it is spoken here")

    def _discard(self, count: int) -> None:
        self._discarded += count
        if self._discarded > LINGER_BYTES:
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
