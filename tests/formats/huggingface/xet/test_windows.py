"""A plain file in windows: what a client would put together is what it has asked for, wherever that begins and ends."""

from itertools import pairwise

import pytest

from regproxy.formats.huggingface.xet.windows import CHUNK, WINDOW, Window, frame_header, parts_of, reconstruction, window_name
from regproxy.formats.huggingface.xet.xorb import HEADER, LIMIT
from regproxy.model.ranges import Span

SHA256 = "ab" * 32
HUNDRED_GB = 10**11


def put_together(span: Span, size: int, *, is_new: bool) -> list[Span]:
    """What a client gets of the file, chunk by chunk."""
    said = reconstruction(SHA256, span, size, "/{window}", is_new=is_new)
    found = []
    for term in said["terms"]:
        entry = said["xorbs" if is_new else "fetch_info"][term["hash"]][0]
        window = Window(int(entry["url"][1:]), size)
        assert term["hash"] == window_name(SHA256, window.number)
        part = entry["ranges"][0] if is_new else {"chunks": entry["range"], "bytes": entry["url_range"]}
        assert part["chunks"] == term["range"]
        frames = list(window.frames(Span(part["bytes"]["start"], part["bytes"]["end"] + 1)))
        assert len(frames) == term["range"]["end"] - term["range"]["start"]
        assert [header for header, _ in frames] == [frame_header(len(inside)) for _, inside in frames]
        assert sum(len(inside) for _, inside in frames) == term["unpacked_length"]
        found += [inside for _, inside in frames]
    assert found[0].start + said["offset_into_first_range"] == span.start
    return found


@pytest.mark.parametrize("size", [1, CHUNK, CHUNK + 1, WINDOW, WINDOW + 1, 3 * WINDOW + 7, HUNDRED_GB])
def test_spans(size: int) -> None:
    """From any byte to any other: without gaps, and no chunk more than needed."""
    places = (0, 1, CHUNK - 1, CHUNK, WINDOW - 1, WINDOW, WINDOW + CHUNK + 1, size // 2, size - 1, size)
    edges = sorted({place for place in places if 0 <= place <= size})
    for start in edges:
        for stop in edges:
            if start < stop <= start + 4 * WINDOW:
                found = put_together(Span(start, stop), size, is_new=bool(start % 2))
                assert all(one.stop == two.start for one, two in pairwise(found))
                assert found[0].start <= start < found[0].stop
                assert found[-1].start < stop <= found[-1].stop


def test_windows() -> None:
    """As large as a xorb may be, and no larger; the last one is what is left."""
    assert max(Window(0, HUNDRED_GB).size, CHUNK) <= LIMIT
    last = Window(2, 2 * WINDOW + CHUNK + 5)
    assert (last.size, last.chunks, last.framed) == (CHUNK + 5, 2, CHUNK + 5 + 2 * HEADER)
    assert Window(3, 2 * WINDOW).size <= 0
    assert [(part.start, part.stop, part.size) for part in parts_of(Span(5, 6), 10)] == [(0, 1, 10)]


def test_parts_of_frames() -> None:
    """A client may begin within a header, and end within one."""
    window = Window(0, 2 * CHUNK)
    frames = list(window.frames(Span(3, HEADER + CHUNK + 2)))
    assert frames == [(frame_header(CHUNK)[3:], Span(0, CHUNK)), (frame_header(CHUNK)[:2], Span(CHUNK, CHUNK))]
    assert list(window.frames(Span(HEADER + 7, HEADER + 9))) == [(b"", Span(7, 9))]
