"""A growing blob shows what may be read, and no more."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regproxy.model.ranges import Span
from regproxy.stream.growing import TAIL, GrowingBlob


def blob(size: int | None, *, withheld: bool) -> GrowingBlob:
    """A blob over an empty anonymous file."""
    fd = os.memfd_create("blob")
    try:
        return GrowingBlob.over(fd, size, withheld=withheld)
    finally:
        os.close(fd)


def test_reads_reach_what_is_written() -> None:
    """Without a verdict to wait for, every written byte may be read."""
    growing = blob(100, withheld=False)
    growing.wrote(Span(0, 40))
    assert growing.reach(0) == 40
    assert growing.reach(50) == 50
    growing.release()


def test_tail_is_withheld_until_the_verdict() -> None:
    """The last bytes wait for the verdict, but for early readers."""
    size = TAIL + 1000
    growing = blob(size, withheld=True)
    growing.wrote(Span(0, size))
    assert growing.reach(0) == 1000
    assert growing.reach(1000) == 1000
    assert growing.reach(0, early=True) == size
    growing.succeed()
    assert growing.reach(0) == size
    growing.release()


def test_unknown_length_has_a_delay_line() -> None:
    """The newest bytes are withheld while the length is unknown and a verdict is awaited."""
    growing = blob(None, withheld=True)
    growing.wrote(Span(0, TAIL + 10))
    assert growing.reach(0) == 10
    growing.succeed()
    assert growing.size == TAIL + 10
    growing.release()


def test_waiters_are_told_once_their_bytes_exist() -> None:
    """``wait`` fires at its byte, or at the end."""
    growing = blob(100, withheld=False)
    fired: list[str] = []
    growing.wait(50).addCallback(lambda _: fired.append("50"))
    growing.wait(60).addCallback(lambda _: fired.append("60"))
    growing.wait(61).addCallback(lambda _: fired.append("61"))
    growing.wrote(Span(0, 60))
    assert fired == ["50", "60"]
    growing.fail(ValueError("cut"))
    assert fired == ["50", "60", "61"]
    growing.release()


def test_last_release_closes_the_descriptor() -> None:
    """The descriptor lives as long as its last reader."""
    growing = blob(1, withheld=False)
    growing.hold()
    growing.release()
    os.fstat(growing.fileno())
    fd = growing.fileno()
    growing.release()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_desertion_is_noticed_while_it_grows() -> None:
    """The fill is told when its last reader leaves, unless it has ended."""
    fd = os.memfd_create("blob")
    told: list[int] = []
    growing = GrowingBlob.over(fd, 10, withheld=False, deserted=lambda: told.append(1))
    os.close(fd)
    growing.hold()
    growing.release()
    assert told == [1]
    growing.hold()
    growing.succeed()
    growing.release()
    assert told == [1]
    growing.release()


def test_what_its_readers_want() -> None:
    """Each span once, the oldest first; all of it where a verdict on the tail is waited for, but for early readers."""
    size, told = 10 * TAIL, list[int]()
    growing = blob(size, withheld=True)
    growing.wanted_changed = lambda: told.append(1)
    first, second, third = (lambda: None), (lambda: None), (lambda: None)
    growing.watch(first, Span(5, 10))
    growing.watch(second, Span(5, 10))
    growing.watch(third, Span(size - 10, size), early=True)
    assert growing.wanted() == [Span(5, 10), Span(size - 10, size)]
    growing.watch(lambda: None)
    assert len(told) == 3
    growing.unwatch(third)
    growing.watch(third, Span(0, size - TAIL))
    assert growing.wanted() == [Span(5, 10), Span(0, size - TAIL)]
    growing.unwatch(third)
    growing.watch(third, Span(7, size - TAIL + 1))
    assert growing.wanted() == [Span(5, 10), Span(7, size - TAIL + 1), Span(0, size)]
    assert len(told) == 7
    growing.unwatch(lambda: None)
    assert len(told) == 7
    growing.release()


def test_readers_are_counted() -> None:
    """The fill itself is none."""
    growing = blob(1, withheld=False)
    assert growing.readers == 0
    growing.hold()
    assert growing.hold().readers == 2
    for _ in range(3):
        growing.release()


def test_who_waits_no_longer_is_forgotten() -> None:
    """A cancelled wait is not told anything; one for what is there already, or for an end that has come, is no wait."""
    growing = blob(100, withheld=False)
    waiter = growing.wait(50)
    waiter.addErrback(lambda failure: None)
    waiter.cancel()
    growing.wrote(Span(0, 50))
    assert growing.wait(50).called
    assert not growing.wait(51).called
    growing.fail(ValueError("cut"))
    assert growing.wait(100).called
    growing.release()


def test_byte_0_counts() -> None:
    """Without it nothing of the beginning is there: for who waits, for what is withheld, and at the end."""
    growing, fired = blob(None, withheld=True), list[int]()
    growing.wrote(Span(1, 2 * TAIL))
    growing.wait(50).addCallback(lambda _: fired.append(50))
    growing.wrote(Span(2 * TAIL, 3 * TAIL))
    assert (fired, growing.reach(1)) == ([], 1)
    growing.wrote(Span(0, 1))
    assert (fired, growing.reach(0)) == ([50], 2 * TAIL)
    growing.release()
    empty = blob(None, withheld=False)
    empty.wrote(Span(1, 5))
    empty.succeed()
    assert empty.size == 0
    empty.release()


def test_the_first_end_holds() -> None:
    """What is complete does not fail any more."""
    growing = blob(3, withheld=True)
    growing.wrote(Span(0, 3))
    growing.succeed()
    growing.fail(ValueError("late"))
    assert (growing.complete, growing.failed) == (True, None)
    growing.release()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), max_size=20), st.integers(0, 400))
def test_reach_never_passes_a_hole(pieces: list[tuple[int, int]], offset: int) -> None:
    """Whatever the order of the writes, a reader never gets past a byte that is not there."""
    growing = blob(400, withheld=False)
    there: set[int] = set()
    for start, length in pieces:
        stop = min(400, start + length)
        growing.wrote(Span(start, stop))
        there.update(range(start, stop))
    expected = offset
    while expected in there:
        expected += 1
    assert growing.reach(offset) == expected
    growing.release()


def test_what_is_closed_is_not_held() -> None:
    """Its descriptor may be another file's by now."""
    growing = blob(0, withheld=False)
    assert not growing.is_released
    growing.release()
    assert growing.is_released
    with pytest.raises(AssertionError, match="held"):
        growing.hold()
