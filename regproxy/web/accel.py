"""``X-Accel-Redirect``: leaves the sending of a stored blob to the nginx in front of us, which reads the file itself.

Rules:

1. Only where the operator set it, and only for a connection of a trusted proxy: to anybody else the header would be a path and no
   body. A proxy that could not open the file asks again with ``X-Regproxy-Stream``, and gets the bytes.
2. nginx answers by its own validators, so what needs a comparison with ours is answered here: conditionals, If-Range, several
   ranges, and ranges that cannot be satisfied. One plain range is nginx's.
3. nginx drops the headers that it does not know. ``HANDED_ON`` are those that its configuration puts back
   (``etc/examples/nginx-accel.conf``); an answer with any other one is sent from here.
"""

from collections.abc import Sequence

from attrs import frozen

from regproxy.model.ranges import Span
from regproxy.repo.interface import Body
from regproxy.stream.stored import StoredBlob
from regproxy.web.request import ProxyRequest

HANDED_ON = frozenset({
    "age",
    "docker-content-digest",
    "docker-distribution-api-version",
    "etag",
    "last-modified",
    "link",
    "x-artifactory-filename",
    "x-checksum-md5",
    "x-checksum-sha1",
    "x-checksum-sha256",
    "x-content-type-options",
    "x-linked-etag",
    "x-linked-size",
    "x-regproxy-cache",
    "x-repo-commit",
    "x-request-id",
})  # fmt: skip # one in a line
_NGINX_KEEPS = frozenset({
    "accept-ranges", "cache-control", "connection", "content-disposition", "content-length", "content-type", "date", "server"
})  # fmt: skip # as above
_JUDGED = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "x-regproxy-stream")


@frozen
class Accel:
    """The internal location of nginx, at the root of the blobs; none if empty."""

    location: str = ""

    def takes(self, request: ProxyRequest, body: Body, spans: Sequence[Span] | None) -> bool:
        """Leave a body to nginx, if it may be left: all of it, or the one range that was asked for."""
        readable = body.readable
        name = body.head.sha256
        if not self.location or not isinstance(readable, StoredBlob) or not name:
            return False
        if spans is None and request.getHeader("range") is not None:
            return False
        if (spans is not None and len(spans) != 1) or any(request.getHeader(name) is not None for name in _JUDGED):
            return False
        peer = str(getattr(request.getClientAddress(), "host", ""))
        if not request.channel.site.doors.trusted.covers(peer):
            return False
        names = {name.decode("ascii").lower() for name, _ in request.responseHeaders.getAllRawHeaders()}
        if names - HANDED_ON - _NGINX_KEEPS:
            return False
        request.responseHeaders.removeHeader("content-length")
        request.responseHeaders.removeHeader("accept-ranges")  # nginx says it of the file, and would say it twice
        request.setHeader("x-accel-redirect", f"{self.location}/{name[:2]}/{name}")
        request.setHeader("content-length", "0")
        return True
