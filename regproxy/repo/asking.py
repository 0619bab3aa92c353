"""The questions to upstream: for what a plan stands for, and for a part of a body, by Range and If-Range, whose answer has to be
that part of that body.

What is answered with another status, validator, length or place is refused: nothing is ever spliced. A request goes
from the first hop; while answers are good, the next one may go straight to where the redirects led, and when that address has
expired, from the first hop again.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field

from regproxy.errors import Kind, RegproxyError
from regproxy.model.fetch import Fetch
from regproxy.model.headers import Headers
from regproxy.model.ranges import Span, parse_content_range
from regproxy.model.retry import retry_after
from regproxy.model.want import Shape, Want
from regproxy.model.waybill import Waybill
from regproxy.stream.source import Source
from regproxy.upstream.interface import Question, Reply

Ask = Callable[[Headers, str | None], Coroutine[Any, Any, Reply]]

TRANSIENT = (Kind.UPSTREAM_DOWN, Kind.UPSTREAM_SLOW, Kind.UPSTREAM_BUSY)
_PARTIAL, _TOO_MANY, _OWN_TROUBLE = 206, 429, 500
# What signed addresses answer when their time is over.
_EXPIRED = frozenset({400, 401, 403, 404, 410})
_PATIENCE = {Shape.BLOB: 120.0, Shape.FILE: 120.0, Shape.DOCUMENT: 10.0}
_NO_HEADERS = Headers()


def question_for(fetch: Fetch, want: Want, *, method: str = "GET", headers: Headers = _NO_HEADERS) -> Question:
    """The request that a plan stands for."""
    stops = fetch.head_stops if method == "HEAD" else None
    every = Headers((*fetch.headers.without(*(name for name, _ in headers)).fields, *headers.fields))
    return Question(fetch.url, method, every, _PATIENCE[want.shape], fetch.scope, stops, want.shape.value)


def gives_parts(headers: Headers) -> bool:
    """Whether an answer says that parts may be asked for, while it is good: others are asked only to continue what broke."""
    return "bytes" in (headers.joined("accept-ranges") or "").lower()


class PartRefusedError(RegproxyError):
    """Upstream does not give parts of this body, or has another body by now."""


class PartTroubleError(RegproxyError):
    """Upstream answers that it has trouble; perhaps only with parts."""


@define(eq=False)
class Asking:
    """The requests for parts of one body; ``ask`` sends further headers, to the address of the fetch or to another one."""

    _waybill: Waybill
    _ask: Ask
    _known: str | None = field(default=None, init=False)

    async def part(self, span: Span) -> Source:
        """Ask for a span.

        Raises:
            PartRefusedError: it is not to be had.
            RegproxyError: one of ``TRANSIENT``: perhaps later.
        """
        known, self._known = self._known, None
        reply = await self._ask(self._headers(span), known)
        if known is not None and reply.status in _EXPIRED:
            reply.source.abort()
            reply = await self._ask(self._headers(span), None)
        if self._is_part(reply, span):
            self._known = reply.hops[-1].url if len(reply.hops) > 1 else known
            return reply.source
        reply.source.abort()
        wait = retry_after(reply.headers)
        if reply.status == _TOO_MANY:
            raise RegproxyError(Kind.UPSTREAM_BUSY, "upstream wants fewer requests", retry_after=wait)
        if reply.status >= _OWN_TROUBLE:
            raise PartTroubleError(Kind.UPSTREAM_DOWN, "upstream is in trouble", retry_after=wait)
        raise PartRefusedError(Kind.UPSTREAM_BAD, "upstream broke off, and does not continue the body where it did")

    def _headers(self, span: Span) -> Headers:
        last = "" if span.stop == self._waybill.length else str(span.stop - 1)
        headers = Headers.of(range=f"bytes={span.start}-{last}")
        validator = self._waybill.validator
        return headers.plus(("if-range", validator)) if validator else headers

    def _is_part(self, reply: Reply, span: Span) -> bool:
        validator, etag = self._waybill.validator, reply.headers.first("etag")
        # Who does not say of which body it is may not know If-Range: only a digest would tell.
        other = etag != validator if validator and (etag or not self._waybill.digests) else False
        found = parse_content_range(reply.headers.first("content-range") or "")
        return reply.status == _PARTIAL and not other and found == (span, self._waybill.length)
