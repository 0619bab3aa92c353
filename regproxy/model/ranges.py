"""Byte ranges: the algebra of what exists, and what a Range header asks for. Pure.

A ``Span`` is half open, ``[start, stop)``. ``Extents`` are sorted, disjoint and never adjacent, whatever the order in
which they were added.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from attrs import define, field, frozen

MAX_RANGES = 1024

_SPEC = re.compile(r"(\d*)-(\d*)")


@frozen(order=True)
class Span:
    """The bytes from ``start`` up to, and not including, ``stop``."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@define
class Extents:
    """Which bytes exist."""

    _starts: list[int] = field(factory=list)
    _stops: list[int] = field(factory=list)

    def add(self, span: Span) -> None:
        """Note that these bytes exist; known ones may be among them."""
        if span.start >= span.stop:
            return
        left = bisect_left(self._stops, span.start)
        right = bisect_right(self._starts, span.stop)
        start, stop = span.start, span.stop
        if left < right:
            start = min(start, self._starts[left])
            stop = max(stop, self._stops[right - 1])
        self._starts[left:right] = [start]
        self._stops[left:right] = [stop]

    def reach(self, offset: int) -> int:
        """How far one can read from ``offset`` without a hole; ``offset`` itself if that byte is missing."""
        at = bisect_right(self._starts, offset) - 1
        return self._stops[at] if at >= 0 and offset < self._stops[at] else offset

    def missing(self, span: Span) -> Iterator[Span]:
        """The holes in a span, in order."""
        position = span.start
        while position < span.stop:
            position = self.reach(position)
            if position >= span.stop:
                return
            after = bisect_right(self._starts, position)
            stop = min(span.stop, self._starts[after]) if after < len(self._starts) else span.stop
            yield Span(position, stop)
            position = stop

    def total(self) -> int:
        """How many bytes exist."""
        return sum(self._stops) - sum(self._starts)

    def __iter__(self) -> Iterator[Span]:
        return map(Span, self._starts, self._stops)


class Unsatisfiable(Exception):  # noqa: N818 - RFC 9110's word
    """No range of the header lies within the body: 416."""


def parse_range(header: str, size: int) -> list[Span] | None:
    """Read a Range header for a body of ``size`` bytes, RFC 9110 section 14.

    Returns:
        The spans in the order asked for, clamped to the body; None if the header is to be ignored: another unit, malformed, more
        than ``MAX_RANGES`` ranges, or several that are longer together than the body, which only an attack asks for.

    Raises:
        Unsatisfiable: no span touches the body.
    """
    unit, equals, rest = header.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    specs = [spec.strip(" \t") for spec in rest.split(",")]
    specs = [spec for spec in specs if spec]
    if not specs or len(specs) > MAX_RANGES:
        return None
    spans = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if not match or not spec.isascii() or len(spec) > 40 or spec == "-":  # noqa: PLR2004 - two 64-bit numbers and a dash
            return None
        first, last = match.groups()
        if first and last and int(last) < int(first):
            return None
        span = _clamped(first, last, size)
        if span is not None:
            spans.append(span)
    if not spans:
        raise Unsatisfiable
    return None if len(spans) > 1 and sum(span.stop - span.start for span in spans) > size else spans


def _clamped(first: str, last: str, size: int) -> Span | None:
    if not first:
        length = min(int(last), size)
        return Span(size - length, size) if length else None
    start = int(first)
    if start >= size:
        return None
    return Span(start, min(int(last) + 1, size) if last else size)


_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


def parse_content_range(header: str) -> tuple[Span, int | None] | None:
    """Read an upstream's Content-Range: the span and the whole size if said; None when malformed."""
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if not match or not header.isascii():
        return None
    first, last, whole = match.groups()
    span = Span(int(first), int(last) + 1)
    size = None if whole == "*" else int(whole)
    if span.stop <= span.start or (size is not None and span.stop > size):
        return None
    return span, size
