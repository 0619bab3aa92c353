"""A window over a body that is not kept, byte by byte and page by page."""

import os
from collections.abc import Iterator

import pytest
from twisted.internet.defer import CancelledError, Deferred

from regproxy.model.ranges import Span
from regproxy.stream.window import AHEAD, BEHIND, PAGE, Window


@pytest.fixture
def window() -> Iterator[Window]:
    """One that begins at byte 0."""
    made = Window.open(0, bounded=True)
    yield made
    made.close()


def waiting(window: Window) -> list[object]:
    """Somebody who waits for room: empty as long as he does, then how that ended."""
    outcome: list[object] = []
    Deferred.fromCoroutine(window.room()).addBoth(lambda result: outcome.append(result and result.type))
    return outcome


def test_bytes_are_where_they_are_in_the_body() -> None:
    """Also of a window that begins later, for a reader who is further on."""
    window = Window.open(1000, bounded=True, reader=1002)
    window.write([b"abc", b"def"])
    assert os.pread(window.fileno(), 10, 1000) == b"abcdef"
    assert (window.tail, window.head) == (1000, 1006)
    assert [False, True, True, False] == [window.holds(at) for at in (999, 1000, 1006, 1007)]
    window.close()
    assert window.fileno() == -1
    window.close()


def test_where_it_was_made_to_go() -> None:
    """The reader that it was made for is in it before his byte is there; one behind him is not."""
    window = Window.open(0, bounded=True, reader=50)
    assert [True, True, False] == [window.holds(at) for at in (0, 50, 51)]
    window.close()


def test_the_furthest_reader_makes_room(window: Window) -> None:
    """Writing stops ``AHEAD`` of him; one who is behind him, or somewhere else, changes nothing."""
    window.write([bytes(AHEAD)])
    assert waiting(window) == [None]
    window.write([b"x"])
    outcome = waiting(window)
    window.seen(0)
    window.seen(AHEAD + 2)
    assert outcome == []
    window.seen(1)
    assert outcome == [None]


def test_a_step_that_is_too_small(window: Window) -> None:
    """Whoever waits goes on waiting until there is room."""
    window.write([bytes(AHEAD + 10)])
    outcome = waiting(window)
    window.seen(9)
    assert outcome == []
    window.seen(10)
    assert outcome == [None]


def test_interrupted(window: Window) -> None:
    """Nobody waits any more, and nobody begins to, until it goes on."""
    window.write([bytes(AHEAD + 1)])
    first = waiting(window)
    window.interrupt()
    assert (first, waiting(window)) == ([CancelledError], [CancelledError])
    window.interrupt(going_on=True)
    later = waiting(window)
    assert later == []
    window.seen(1)
    assert later == [None]


def test_a_document_stays_whole() -> None:
    """Nothing of it is dropped, and nothing waits."""
    window = Window.open(0, bounded=False)
    window.write([bytes(AHEAD + 2 * BEHIND)])
    window.seen(AHEAD + 2 * BEHIND)
    assert (waiting(window), window.trim(), window.tail) == ([None], None, 0)
    window.close()


def test_what_lies_behind_is_given_back(window: Window) -> None:
    """In whole pages, once, and ``BEHIND`` the furthest reader everything stays."""
    window.write([b"x" * (BEHIND + 3 * PAGE)])
    window.seen(BEHIND + PAGE - 1)
    assert window.trim() is None
    window.seen(BEHIND + 2 * PAGE + 1)
    before = os.fstat(window.fileno()).st_blocks
    span = window.trim()
    assert (span, window.tail, window.trim()) == (Span(0, 2 * PAGE), 2 * PAGE, None)
    assert span is not None
    window.punch(span)
    assert before - os.fstat(window.fileno()).st_blocks == 2 * PAGE // 512
    assert os.pread(window.fileno(), 1, 2 * PAGE) == b"x"


def test_the_beginning_of_a_file(window: Window) -> None:
    """Is taken over; a file that is shorter than it is to be is no beginning."""
    fd = os.memfd_create("spool")
    os.write(fd, b"abcdef")
    window.copy_from(fd, 4)
    assert (window.head, os.pread(window.fileno(), 10, 0)) == (4, b"abcd")
    with pytest.raises(EOFError):
        window.copy_from(fd, 7)
    os.close(fd)


def test_no_hole_can_be_made() -> None:
    """Of a file that is closed: the reason is said."""
    window = Window.open(0, bounded=True)
    window.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        window.punch(Span(0, PAGE))
