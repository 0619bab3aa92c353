"""One request, as the rest of ``web`` and the formats see it: Twisted's, with a path that was split and decoded once, and a body
that is handed on as it arrives.

``segments`` are those of the whole path without the ``/artifactory`` prefix; ``rest`` are those behind the address of the
repository, and what a format reads. Rules of the body:

1. A PUT, PATCH or POST is dispatched when its headers are there, one reactor turn later: never inside ``gotLength``, for a route
   that answers at once would pull the request from under the channel. Other methods wait for theirs, of ``SMALL`` bytes at most.
2. ``Expect`` is taken from the headers, or the channel would send its 100 before anybody was asked (``body.py``).
3. ``requestReceived`` then means "end of the body"; ``connectionLost`` fails it.
4. Answered before the body is complete, a connection is never used again: what follows would be read as a request.
"""

import re
import time
from functools import lru_cache
from io import BytesIO
from itertools import count
from secrets import token_hex
from typing import Any

from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.iweb import INonQueuedRequestFactory
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import provider

from regproxy.access.principal import Principal
from regproxy.errors import Kind, RegproxyError
from regproxy.telemetry.cause import CAUSE, NOBODY, TRACE, Cause
from regproxy.web.body import RequestBody
from regproxy.web.clients import counted, plain
from regproxy.web.prepared import has_none, put, spelled

SMALL = 64 << 10
STREAMED = frozenset({b"PUT", b"PATCH", b"POST"})

_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_SERVER, _DATE, _REQUEST_ID = map(spelled, (b"server", b"date", b"x-request-id"))
_TOLD = frozenset(map(spelled, (b"x-request-id", b"traceparent", b"x-forwarded-for")))
_RUN = token_hex(4)
_NUMBERS = count()
"""Request ids tell requests of one run from each other and from those of other runs; they are no secret."""


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    made: bytes = datetimeToString(second)
    return made


@provider(INonQueuedRequestFactory)
class ProxyRequest(Request):
    """Twisted's request with what routing, answers and the access log note on it.

    Attributes:
        prefix: ``/artifactory`` if the client used it, else empty.
        mount: what was consumed of the path, with the prefix, as it was sent.
        encoded_slash, rest_slash: positions of segments that have a ``%2F`` in them.
        repository, node, origin: for the access log and the metrics.
        principal: who asks; None only before the gate has said so.
        permitted: the key of the repository in which something was permitted to him: nothing of another one is sent.
        cause: what is begun for it carries on.
        is_counted: whether a quota has counted it.
        began, answered: the reactor's seconds: when the request was complete, and when its response began; 0 until then.
    """

    defaultContentType = None  # noqa: N815 - Twisted's name
    channel: Any
    site: Any

    prefix = ""
    mount = ""
    segments: tuple[str, ...] = ()
    raw_segments: tuple[bytes, ...] = ()
    encoded_slash: frozenset[int] = frozenset()
    rest: tuple[str, ...] = ()
    rest_slash: frozenset[int] = frozenset()
    repository = ""
    node = ""
    origin = ""
    principal: Principal | None = None
    permitted = ""
    began = 0.0
    answered = 0.0
    request_id = ""
    cause: Cause = NOBODY
    is_counted = False
    _received = 0
    _recorded = False
    _body: RequestBody | None = None
    _line = (b"", b"", b"")

    @property
    def body(self) -> RequestBody:
        """What the client sends behind the headers; empty for methods that don't stream theirs."""
        if self._body is None:
            self._body = RequestBody(0, self.channel, self.channel.site.reactor)
            self._body.end()
        return self._body

    @property
    def client_address(self) -> str:
        """The client's address, behind the proxies that we trust."""
        return self.cause.client if self.cause is not NOBODY else self._client()

    def _client(self) -> str:
        forwarded = self.requestHeaders.getRawHeaders(b"x-forwarded-for", [])
        found: str = self.channel.site.doors.trusted.client(self._peer(), forwarded)
        return found

    def _peer(self) -> str:
        return str(getattr(self.getClientAddress(), "host", ""))

    @property
    def accountable(self) -> str:
        """Whose limits this request counts for: the client's, by address, but nobody's where a proxy does not say whose it is."""
        client = self.client_address
        return "" if self.channel.site.doors.trusted.covers(client) else counted(client)

    @property
    def received(self) -> int:
        """Bytes of its body that came."""
        return 0 if self._body is None else self._body.received

    @property
    def is_gone(self) -> bool:
        """Whether its client has left."""
        return bool(self._disconnected)

    @property
    def is_waited_for(self) -> bool:
        """Whether the client has more of a body to send, and we don't want it now."""
        return self._body is not None and self._body.held

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """All headers are there."""
        self.content = BytesIO()
        line = self.channel.request_line()
        if line[0] not in STREAMED or length == 0:
            return
        expectation = self.requestHeaders.getRawHeaders(b"expect", [b""])[0].lower()
        self.requestHeaders.removeHeader(b"expect")
        reactor = self.channel.site.reactor
        self._line = line
        self._body = RequestBody(length, self.channel, reactor, expectation == b"100-continue" and line[2] == b"HTTP/1.1")
        reactor.callLater(0, self._dispatch)

    def _dispatch(self) -> None:
        if not self._disconnected and not self.channel.is_closing:
            Request.requestReceived(self, *self._line)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        """Everything is there."""
        if self._body is None:
            Request.requestReceived(self, command, path, version)
        else:
            self._body.end()

    def spoil(self, reason: str) -> bool:
        """The framing of the body is no good: the route that has it hears of that. False if none has been called yet."""
        if self._body is None or not self.began:
            return False
        self._body.fail(RegproxyError(Kind.INVALID, reason))
        return True

    def process(self) -> None:
        """Begin to answer."""
        self.began = self.channel.site.reactor.seconds()
        self.site = self.channel.site
        self.cause = self._cause()
        self.request_id = self.cause.request_id
        put(self.responseHeaders, _SERVER, b"regproxy")
        put(self.responseHeaders, _DATE, _date(int(time.time())))
        carried = CAUSE.set(self.cause)
        try:
            self._render(self.site.resource)
        except Exception:  # noqa: BLE001 - a mistake in a resource must not take the connection's parser down
            self.processingFailed(Failure())
        finally:
            CAUSE.reset(carried)
        self.site.requests.taken += 1  # after the root has asked whether there is a place for it; what has ended counts -1 by now

    def _cause(self) -> Cause:
        """What may be believed of what proxies and clients say: whose request it is, what it is called, what it belongs to."""
        number = f"{_RUN}{next(_NUMBERS):08x}"
        if has_none(self.requestHeaders, _TOLD):
            return Cause(number, plain(self._peer()))
        given: bytes = self.requestHeaders.getRawHeaders(b"x-request-id", [b""])[0]
        trace = self.requestHeaders.getRawHeaders(b"traceparent", [b""])[0].decode("latin-1")
        return Cause(
            given.decode("ascii") if _ID.fullmatch(given) else number, self._client(), trace if TRACE.fullmatch(trace) else ""
        )

    def prepare_for_klein(self) -> None:
        """Set what Klein routes by: it splits again, so encoded slashes stay encoded."""
        parts = [segment.replace("/", "%2F").encode() for segment in self.segments]
        depth = len(parts) - len(self.rest)
        self.prepath, self.postpath = parts[:depth], parts[depth:]

    def _render(self, resource: IResource) -> None:
        body = resource.render(self)
        if body is not NOT_DONE_YET:
            self.write(body)
            self.finish()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take more of the body."""
        if self._body is not None:
            self._body.take(data)
            return
        self._received += len(data)
        if self._received > SMALL:
            self.channel.refuse(413, "the body is too large")
        elif self.content is not None:
            self.content.write(data)

    def write_whole(self, data: bytes) -> None:
        """Send the head and the whole of a small body as one piece."""
        self.channel.gather()
        try:
            self.write(data)
        finally:
            self.channel.let_go()

    def write(self, data: bytes) -> None:
        """Send bytes of the body of the response."""
        if not self.answered:
            self.answered = self.channel.site.reactor.seconds()
            put(self.responseHeaders, _REQUEST_ID, self.request_id.encode("ascii"))
            if self.site.is_ending or self._is_early():
                self.setHeader(b"connection", b"close")
                self.channel.persistent = False
        Request.write(self, data)

    def finish(self) -> None:
        """The response is complete."""
        self._record()
        if self._is_early() and not self.finished:
            self._finish_early()
        else:
            Request.finish(self)

    def cut(self) -> None:
        """A short read is the only truth that is left to tell: no last chunk may say that this was all."""
        self.chunked = 0
        if self.channel is not None:  # else the client has gone
            self.channel.abort()

    def _is_early(self) -> bool:
        return self._body is not None and not self._body.complete and not self._disconnected

    def _finish_early(self) -> None:
        assert self._body is not None
        if not self.startedWriting:
            self.write(b"")
        if self.chunked:
            self.channel.write(b"0\r\n\r\n")
        self.finished = 1
        self._body.abort()
        self.channel.close_behind_answer()
        waiting, self.notifications = self.notifications, []
        for each in waiting:
            each.callback(None)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """The client has gone."""
        self._record()
        Request.connectionLost(self, reason)
        if self._body is not None:
            self._body.fail(RegproxyError(Kind.INVALID, "the client left before its body was complete"))

    def _record(self) -> None:
        if self.channel is not None and self.began and not self._recorded:
            self._recorded = True
            self.site.requests.taken -= 1
            self.channel.site.record(self)
