"""A plain file as Xet has files: windows that stand for xorbs, of chunks that are stored as they are behind their headers. Pure.

Clients believe on download what they are told of hashes, so a window is called after its file and its number, and nothing is kept
for it: what a client fetches of one is the file's own bytes with headers between them.
"""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from regproxy.formats.huggingface.xet.xorb import CHUNK_LIMIT, HEADER
from regproxy.model.ranges import Span

CHUNK = CHUNK_LIMIT
CHUNKS = 384
WINDOW = CHUNK * CHUNKS
FRAME = HEADER + CHUNK


@frozen
class Window:
    """One window of a file."""

    number: int
    file_size: int

    @property
    def start(self) -> int:
        """Where in the file it begins."""
        return self.number * WINDOW

    @property
    def size(self) -> int:
        """Bytes of the file in it; none or less if it lies behind the end."""
        return min(WINDOW, self.file_size - self.start)

    @property
    def chunks(self) -> int:
        """How many it has."""
        return -(-self.size // CHUNK)

    @property
    def framed(self) -> int:
        """Its bytes with all headers."""
        return self.size + self.chunks * HEADER

    def offset(self, chunk: int) -> int:
        """Where a chunk's header is, or, behind the last one, the end."""
        return min(chunk * FRAME, self.framed)

    def frames(self, span: Span) -> Iterator[tuple[bytes, Span]]:
        """What a part of it is made of: a piece of a header, and a part of the file behind that, chunk by chunk."""
        for chunk in range(span.start // FRAME, self.chunks):
            at = chunk * FRAME
            if at >= span.stop:
                return
            size = min(CHUNK, self.size - chunk * CHUNK)
            header = frame_header(size)[max(0, span.start - at) : max(0, span.stop - at)]
            first = max(0, span.start - at - HEADER)
            last = max(first, min(size, span.stop - at - HEADER))
            inside = self.start + chunk * CHUNK
            yield header, Span(inside + first, inside + last)


def frame_header(size: int) -> bytes:
    """Of a chunk that is stored as it is."""
    return b"\0" + size.to_bytes(3, "little") + b"\0" + size.to_bytes(3, "little")


def window_name(sha256: str, number: int) -> str:
    """What stands for the hash of a window."""
    return f"{number:016x}{sha256[:48]}"


@frozen
class Part:
    """Some chunks of a window, ``stop`` not included."""

    window: Window
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Their bytes."""
        return min(self.stop * CHUNK, self.window.size) - self.start * CHUNK


def parts_of(span: Span, file_size: int) -> list[Part]:
    """The chunks in which a span of a file lies."""
    found = []
    for number in range(span.start // WINDOW, (span.stop - 1) // WINDOW + 1):
        window = Window(number, file_size)
        first = max(0, span.start - window.start) // CHUNK
        last = (min(span.stop, window.start + window.size) - 1 - window.start) // CHUNK
        found.append(Part(window, first, last + 1))
    return found


def reconstruction(sha256: str, span: Span, file_size: int, url: str, *, is_new: bool) -> dict[str, Any]:
    """What a client is told; ``url`` has the window's number to be put into it. Byte ranges include their ends."""
    parts = parts_of(span, file_size)
    terms, fetched = [], {}
    for part in parts:
        name, chunks = window_name(sha256, part.window.number), {"start": part.start, "end": part.stop}
        terms.append({"hash": name, "unpacked_length": part.size, "range": chunks})
        placed = {"start": part.window.offset(part.start), "end": part.window.offset(part.stop) - 1}
        at = url.format(window=part.window.number)
        new, old = {"url": at, "ranges": [{"chunks": chunks, "bytes": placed}]}, {"url": at, "range": chunks, "url_range": placed}
        fetched[name] = [new if is_new else old]
    first = parts[0].window.start + parts[0].start * CHUNK
    return {"offset_into_first_range": span.start - first, "terms": terms, "xorbs" if is_new else "fetch_info": fetched}
