"""What is read without a disk, and what is said of the rest: the kernel's answers are scripted."""

import errno
import os
from collections.abc import Iterator

import pytest

from regproxy.stream import pages

DATA = bytes(range(256)) * 40


@pytest.fixture
def fd() -> Iterator[int]:
    """A file in memory."""
    made = os.memfd_create("pages")
    os.write(made, DATA)
    yield made
    os.close(made)


class Kernel:
    """Answers ``preadv`` with RWF_NOWAIT by an error for some offsets; notes what was asked for."""

    def __init__(self, error: OSError, cold: set[int]) -> None:
        self.error, self.cold = error, cold
        self.asked: list[int] = []
        self.real = os.preadv

    def __call__(self, fd: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        """Answer."""
        if flags:
            self.asked.append(offset)
            if offset in self.cold:
                raise self.error
        return self.real(fd, buffers, offset)


@pytest.mark.parametrize(
    ("code", "hot", "read"),
    [(errno.EAGAIN, False, False), (errno.EIO, False, False), (errno.EOPNOTSUPP, True, True)],
)
def test_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch, fd: int, code: int, *, hot: bool, read: bool) -> None:
    """Not now: it is cold; it fails: whoever fetches it is told; it does not know: as if it were in memory."""
    kernel = Kernel(OSError(code, os.strerror(code)), {0})
    monkeypatch.setattr(os, "preadv", kernel)
    assert pages.is_hot(fd, 0, 1) is hot
    assert (pages.read_hot(fd, 0, 10) == DATA[:10]) is read


def test_both_ends_count(monkeypatch: pytest.MonkeyPatch, fd: int) -> None:
    """The first page and the last; one byte is one page."""
    kernel = Kernel(BlockingIOError(errno.EAGAIN, "cold"), {99})
    monkeypatch.setattr(os, "preadv", kernel)
    assert [True, False, True] == [pages.is_hot(fd, start, length) for start, length in ((0, 99), (0, 100), (0, 101))]
    assert not pages.is_hot(fd, 98, 2)
    kernel.asked.clear()
    assert pages.is_hot(fd, 5, 1)
    assert kernel.asked == [5]


def test_all_of_it_or_nothing(fd: int) -> None:
    """A file that is shorter is not read."""
    assert pages.read_hot(fd, 10, 20) == DATA[10:30]
    assert pages.read_hot(fd, len(DATA) - 5, 5) == DATA[-5:]
    assert pages.read_hot(fd, len(DATA) - 5, 6) is None


def test_warming_reads_ahead(monkeypatch: pytest.MonkeyPatch, fd: int) -> None:
    """The kernel is told what comes, at least ``AHEAD`` of it; both ends are waited for."""
    told: list[tuple[int, int, int]] = []
    read: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _, offset, length, advice: told.append((offset, length, advice)))
    monkeypatch.setattr(os, "pread", lambda _, count, offset: read.append((count, offset)))
    pages.warm(fd, 10, 100)
    pages.warm(fd, 10, pages.AHEAD + 1)
    assert told == [(10, pages.AHEAD, os.POSIX_FADV_WILLNEED), (10, pages.AHEAD + 1, os.POSIX_FADV_WILLNEED)]
    assert read == [(1, 10), (1, 109), (1, 10), (1, pages.AHEAD + 10)]
