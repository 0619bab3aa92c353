"""One request, as the rest of ``web`` and the formats see it: Twisted's, with a path that was split and decoded once.

``segments`` are those of the whole path without the ``/artifactory`` prefix; ``rest`` are those behind the address of the
repository, and what a format reads. A body is accepted up to ``BODY_LIMIT`` (form posts of a few clients); ``channel.py`` refuses
larger ones before they are read. Streaming uploads will take their place in ``gotLength``.
"""

import re
from secrets import token_hex
from typing import Any

from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.iweb import INonQueuedRequestFactory
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import provider

BODY_LIMIT = 1 << 20

_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


@provider(INonQueuedRequestFactory)
class ProxyRequest(Request):
    """Twisted's request with what routing, answers and the access log note on it.

    Attributes:
        prefix: ``/artifactory`` if the client used it, else empty.
        mount: what was consumed of the path, with the prefix, as it was sent.
        encoded_slash, rest_slash: positions of segments that have a ``%2F`` in them.
        repository, node, origin: for the access log and the metrics.
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
    began = 0.0
    answered = 0.0
    request_id = ""
    _received = 0
    _recorded = False

    def process(self) -> None:
        """Begin to answer."""
        self.began = self.channel.site.reactor.seconds()
        given: bytes = self.requestHeaders.getRawHeaders(b"x-request-id", [b""])[0]
        self.request_id = given.decode("ascii") if _ID.fullmatch(given) else token_hex(8)
        self.site = self.channel.site
        self.responseHeaders.setRawHeaders(b"server", [b"regproxy"])
        self.responseHeaders.setRawHeaders(b"date", [datetimeToString()])
        try:
            self._render(self.site.resource)
        except Exception:  # noqa: BLE001 - a mistake in a resource must not take the connection's parser down
            self.processingFailed(Failure())

    def _render(self, resource: IResource) -> None:
        body = resource.render(self)
        if body is not NOT_DONE_YET:
            self.write(body)
            self.finish()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count a body whose length was not announced."""
        self._received += len(data)
        if self._received > BODY_LIMIT:
            self.channel.refuse(413, "the body is too large")
        else:
            Request.handleContentChunk(self, data)

    def write(self, data: bytes) -> None:
        """Send bytes of the body."""
        if not self.answered:
            self.answered = self.channel.site.reactor.seconds()
            self.setHeader(b"x-request-id", self.request_id.encode("ascii"))
        Request.write(self, data)

    def finish(self) -> None:
        """The response is complete."""
        self._record()
        Request.finish(self)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """The client has gone."""
        self._record()
        Request.connectionLost(self, reason)

    def _record(self) -> None:
        if self.channel is not None and self.began and not self._recorded:
            self._recorded = True
            self.channel.site.record(self)
