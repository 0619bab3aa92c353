"""Answers become responses here, and nowhere else: status, headers, conditionals, ranges, body.

Hits, fills and HEADs take the same way, so they cannot disagree. RFC 9110 sections 13 and 14; what clients make of
multi-range answers is in ``docs/design/decisions.md``: one part for each range that was asked for, in their order, never merged.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from secrets import token_hex
from typing import assert_never
from urllib.parse import quote

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.web.http import RESPONSES

from regproxy.model.head import Head
from regproxy.model.headers import Headers, is_safe
from regproxy.model.ranges import Span, Unsatisfiable, parse_range
from regproxy.model.validators import Conditions
from regproxy.repo.interface import Answer, Body, Described, Elsewhere, Missing, Origin, Refused, Text, Unavailable
from regproxy.stream import pages
from regproxy.stream.follower import ClientGone, Sending, follow
from regproxy.stream.growing import EARLY
from regproxy.stream.small import SmallBlob
from regproxy.stream.source import Readable
from regproxy.web.prepared import has_none, put, put_all, spelled
from regproxy.web.request import ProxyRequest

INLINE = 64 << 10
INTERNAL = "x-regproxy-"
REASON = "x-regproxy-reason"
_CACHE, _AGE, _FILENAME = map(spelled, (b"x-regproxy-cache", b"age", b"x-artifactory-filename"))

Failure = Missing | Refused | Unavailable
_ACTIVE = re.compile("html|xml|svg", re.IGNORECASE)
"""Media types that browsers run scripts of, with all that their users may do here."""
_OPEN_ENDED = re.compile(r"-\s*(?:,|$)")


@frozen
class Responder:
    """Sends answers for one repository; ``failure`` gives refusals the shape of its format."""

    _sending: Sending
    _failure: Callable[[Failure], Text]

    async def send(self, request: ProxyRequest, answer: Answer) -> None:
        """Send an answer; returns when the last byte is with the transport, or the client has gone."""
        match answer:
            case Body():
                await self._body(request, answer)
            case Described():
                self._described(request, answer)
            case Text():
                send_text(request, answer)
            case Elsewhere(location, status):
                request.setHeader("location", location)
                send_text(request, Text(b"", "text/plain", status=status))
            case Missing() | Refused() | Unavailable():
                send_text(request, self._failure(answer))
            case _:
                assert_never(answer)

    def _described(self, request: ProxyRequest, answer: Described) -> None:
        _note(request, answer.origin, answer.age)
        _entity(request, answer.head, answer.head.length)
        _decide(request, answer.head)

    async def _body(self, request: ProxyRequest, body: Body) -> None:
        try:
            await self._send_body(request, body)
        except ClientGone:
            await _until_lost(request)
        finally:
            body.readable.release()

    async def _send_body(self, request: ProxyRequest, body: Body) -> None:
        head, readable = body.head, body.readable
        size = head.length if head.length is not None else (readable.size if readable.complete else None)
        _note(request, body.origin, body.age)
        _entity(request, head, size)
        if _decide(request, head) or request.method == b"HEAD":
            return
        try:
            spans = self._spans(request, body, size)
        except Unsatisfiable:
            _not_entity(request)
            refused = self._failure(Refused(416, "no byte of the range that was asked for exists"))
            request.setHeader("content-range", f"bytes */{size}")
            send_text(request, refused)
            return
        if size is not None and size > INLINE and request.site.accel.takes(request, body, spans):
            request.sentLength += sum(map(len, spans)) if spans else size  # by another's hand, but on our behalf
        elif spans is None or size is None:
            await self._whole(request, body, size)
        elif len(spans) == 1:
            await self._part(request, body, spans[0], size)
        else:
            await self._parts(request, body, spans, size)

    def _spans(self, request: ProxyRequest, body: Body, size: int | None) -> Sequence[Span] | None:
        asked = request.getHeader("range")
        if asked is None or size is None or request.method != b"GET":
            return None
        if not Conditions(if_range=request.getHeader("if-range")).range_holds(body.head.etag, body.head.last_modified):
            return None
        spans = parse_range(asked, size)
        # After an integrity failure nobody may complete a prefix that he got before it.
        return None if spans is None or (not body.resumable and any(span.start for span in spans)) else spans

    async def _whole(self, request: ProxyRequest, body: Body, size: int | None) -> None:
        if size is not None and size <= INLINE and body.readable.complete:
            data = _in_memory(body.readable, size)
            if data is not None:
                request.write_whole(data)
                return
        await follow(request, body.readable, None if size is None else Span(0, size), self._sending)

    async def _part(self, request: ProxyRequest, body: Body, span: Span, size: int) -> None:
        request.setResponseCode(206)
        request.setHeader("content-range", f"bytes {span.start}-{span.stop - 1}/{size}")
        request.setHeader("content-length", str(len(span)))
        await follow(request, body.readable, span, self._sending, early=_is_early(request, [span]))

    async def _parts(self, request: ProxyRequest, body: Body, spans: Sequence[Span], size: int) -> None:
        boundary = token_hex(16)
        heads = [_part_head(boundary, body.head, span, size) for span in spans]
        end = f"\r\n--{boundary}--\r\n".encode()
        request.setResponseCode(206)
        request.setHeader("content-type", f"multipart/byteranges; boundary={boundary}")
        request.setHeader("content-length", str(sum(map(len, heads)) + sum(map(len, spans)) + len(end)))
        early = _is_early(request, spans)
        for head, span in zip(heads, spans, strict=True):
            request.write(head)
            await follow(request, body.readable, span, self._sending, early=early)
        request.write(end)


def _in_memory(readable: Readable, size: int) -> bytes | None:
    """All of a small body, if no disk has to be waited for."""
    if isinstance(readable, SmallBlob):
        return readable.content
    return pages.read_hot(readable.fileno(), 0, size) if size else b""


def _is_early(request: ProxyRequest, spans: Sequence[Span]) -> bool:
    """A small closed or suffix range, an archive's directory or a footer, need not wait for the verdict on the whole."""
    return sum(map(len, spans)) <= EARLY and not _OPEN_ENDED.search(request.getHeader("range") or "")


def _part_head(boundary: str, head: Head, span: Span, size: int) -> bytes:
    media_type = f"Content-Type: {head.media_type}\r\n" if head.media_type else ""
    return f"\r\n--{boundary}\r\n{media_type}Content-Range: bytes {span.start}-{span.stop - 1}/{size}\r\n\r\n".encode("latin-1")


def _note(request: ProxyRequest, origin: Origin, age: int | None) -> None:
    request.origin = origin.value
    headers = request.responseHeaders
    put(headers, _CACHE, origin.value.encode("ascii"))
    if age is not None:
        put(headers, _AGE, b"%d" % age)


@lru_cache(maxsize=4096)
def _fields(head: Head, size: int | None) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that describe an artifact, ready for the wire; hot artifacts have theirs made once."""
    fields = [
        ("content-type", head.media_type),
        ("etag", head.etag),
        ("last-modified", head.last_modified),
        ("x-checksum-sha256", head.sha256),
        ("content-length", None if size is None else str(size)),
        ("accept-ranges", None if size is None else "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox allow-downloads" if _ACTIVE.search(head.media_type or "") else None),
        *(pair for pair in head.kept if not pair[0].startswith(INTERNAL)),
    ]
    return tuple(
        (spelled(name.encode("ascii")), value.encode("latin-1", "replace"))
        for name, value in fields
        if value is not None and is_safe(name, value)
    )


@lru_cache(maxsize=4096)
def _quoted(name: str) -> bytes:
    return quote(name).encode("ascii")


def _entity(request: ProxyRequest, head: Head, size: int | None) -> None:
    """Set the headers that describe the artifact."""
    headers = request.responseHeaders
    put_all(headers, _fields(head, size))
    filename = request.segments[-1] if request.segments else ""
    if filename:
        put(headers, _FILENAME, _quoted(filename))


_ENTITY = (
    "content-type",
    "etag",
    "last-modified",
    "x-checksum-sha256",
    "content-length",
    "accept-ranges",
    "x-artifactory-filename",
)


def _not_entity(request: ProxyRequest) -> None:
    for name in _ENTITY:
        request.responseHeaders.removeHeader(name)


_CONDITIONALS = tuple(
    (name, name.encode("ascii")) for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
)
_SPELLED = frozenset(spelled(raw) for _, raw in _CONDITIONALS)
_UNCONDITIONAL = Conditions()


def _conditions(request: ProxyRequest) -> Conditions:
    headers = request.requestHeaders
    if has_none(headers, _SPELLED):
        return _UNCONDITIONAL
    fields = [(name, value) for name, raw in _CONDITIONALS for value in _values(headers.getRawHeaders(raw))]
    return Conditions.of(Headers(tuple(fields)))


def _values(raw: Sequence[bytes] | None) -> list[str]:
    return [value.decode("latin-1") for value in raw] if raw else []


def _decide(request: ProxyRequest, head: Head) -> bool:
    """Evaluate the client's conditionals; True if they are the answer."""
    conditions = _conditions(request)
    status = None if conditions is _UNCONDITIONAL else conditions.failed(head.etag, head.last_modified)
    if status is None:
        return False
    request.setResponseCode(status)
    for name in ("content-length", "content-type"):
        request.responseHeaders.removeHeader(name)
    if status != 304:  # noqa: PLR2004 - Not Modified
        request.setHeader("content-length", "0")
    return True


def send_text(request: ProxyRequest, text: Text) -> None:
    """Send bytes made here, with their own conditionals; a short reason phrase carries the reason for those who show only
    that.
    """
    _note(request, text.origin, text.age)
    head = Head(len(text.body), text.media_type, text.etag, text.last_modified)
    for name, value in (("content-type", text.media_type), ("etag", text.etag), ("last-modified", text.last_modified)):
        if value is not None and is_safe(name, value):
            request.setHeader(name, value)
    for name in dict.fromkeys(name for name, _ in text.headers if not name.startswith(INTERNAL)):
        values = [value.encode("latin-1", "replace") for given, value in text.headers if given == name]
        request.responseHeaders.setRawHeaders(name.encode("ascii"), values)
    if text.status != 204:  # noqa: PLR2004 - No Content, which has no length either
        request.setHeader("content-length", str(len(text.body)))
    request.setHeader("x-content-type-options", "nosniff")
    if text.status == 200 and _decide(request, head):  # noqa: PLR2004 - OK
        return
    if text.status != 200:  # noqa: PLR2004 - OK
        request.setResponseCode(text.status, text_phrase(text))
    if request.method != b"HEAD":
        request.write_whole(text.body)


def text_phrase(text: Text) -> bytes:
    """The reason phrase of a refusal: the format's ``X-Regproxy-Reason`` if it gave one, else the status's own."""
    reason = text.headers.first(REASON)
    if reason is None:
        return RESPONSES.get(text.status, b"Unknown")
    return re.sub(rb"[^\x20-\x7e]", b"?", reason.encode("latin-1", "replace"))[:200]


async def _until_lost(request: ProxyRequest) -> None:
    """Wait until Twisted knows that the connection is gone: a response that is cut must not be finished."""
    lost: Deferred[None] = request.notifyFinish()
    await lost.addErrback(lambda _: None)
