"""A growing blob shows what may be read, and no more."""

import os

import pytest
from hypothesis import given
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
    growing.wait(90).addCallback(lambda _: fired.append("90"))
    growing.wrote(Span(0, 60))
    assert fired == ["50"]
    growing.fail(ValueError("cut"))
    assert fired == ["50", "90"]
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
