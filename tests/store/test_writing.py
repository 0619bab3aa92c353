"""Positional writes are complete whatever the kernel takes at once, and reservations say no in time."""

import ctypes
import errno
import os
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regproxy.store import writing

real_pwritev = os.pwritev


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=12), st.integers(1, 7), st.integers(0, 5))
def test_short_writes_are_continued(buffers: list[bytes], most: int, offset: int) -> None:
    """Any split of buffers and any short writes give the same file."""

    def short(descriptor: int, pieces: Sequence[bytes], at: int) -> int:
        return real_pwritev(descriptor, [b"".join(pieces)[:most]], at)

    descriptor = os.memfd_create("test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwritev", short)
        writing.write_all(descriptor, offset, buffers)
    body = b"".join(buffers)
    found = os.pread(descriptor, 1000, offset)
    os.close(descriptor)
    assert body == found


def test_a_write_that_takes_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes no byte and raises nothing is an error, not a loop."""
    monkeypatch.setattr(os, "pwritev", lambda *_: 0)
    with pytest.raises(OSError, match="no byte") as caught:
        writing.write_all(0, 0, [b"x"])
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize(("code", "expected"), [(errno.EOPNOTSUPP, None), (errno.EIO, errno.EIO), (errno.ENOSPC, errno.ENOSPC)])
def test_where_nothing_can_be_reserved(monkeypatch: pytest.MonkeyPatch, code: int, expected: int | None) -> None:
    """A file system without reservations is asked for free space only; other errors are raised."""

    def refuse(*_: int) -> int:
        ctypes.set_errno(code)
        return -1

    monkeypatch.setattr(writing, "_fallocate", refuse)
    descriptor = os.open("/", os.O_RDONLY)
    try:
        if expected is None:
            writing.reserve(descriptor, 1)
        else:
            with pytest.raises(OSError, match=r".") as caught:
                writing.reserve(descriptor, 1)
            assert expected == caught.value.errno
    finally:
        os.close(descriptor)


def test_a_reserve_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without reservations, the last bytes of the disk are not promised to anybody."""

    def refuse(*_: int) -> int:
        ctypes.set_errno(errno.EOPNOTSUPP)
        return -1

    monkeypatch.setattr(writing, "_fallocate", refuse)
    monkeypatch.setattr(writing, "RESERVE", 1 << 62)
    descriptor = os.memfd_create("test")
    try:
        with pytest.raises(OSError, match="space") as caught:
            writing.reserve(descriptor, 1)
    finally:
        os.close(descriptor)
    assert caught.value.errno == errno.ENOSPC


def test_the_kernels_reason_is_raised() -> None:
    """Its own, not that of the last failure."""
    ctypes.set_errno(errno.EOPNOTSUPP)
    descriptor = os.open("/", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r".") as caught:
            writing.reserve(descriptor, 1)
    finally:
        os.close(descriptor)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize(("reserves", "most"), [(True, 1000), (False, 900)])
@pytest.mark.parametrize("held", [0, 50])
def test_to_the_byte(monkeypatch: pytest.MonkeyPatch, *, reserves: bool, most: int, held: int) -> None:
    """What is free, less the reserve where only that can be asked for; what is held already comes on top; from byte 0 on."""
    asked: list[tuple[int, ...]] = []

    def fallocate(*arguments: int) -> int:
        asked.append(arguments)
        ctypes.set_errno(errno.EOPNOTSUPP)
        return 0 if reserves else -1

    monkeypatch.setattr(writing, "_fallocate", fallocate)
    monkeypatch.setattr(writing, "RESERVE", 100)
    monkeypatch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_bavail=100, f_frsize=10))
    writing.reserve(7, most + held, held)
    with pytest.raises(OSError, match="space"):
        writing.reserve(7, most + held + 1, held)
    assert asked[0] == (7, 1, 0, most + held)


def test_nothing_fits_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of unknown length begins on a disk that has no room to promise; one byte is refused there."""
    monkeypatch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_bavail=0, f_frsize=10))
    writing.reserve(7, 0)
    with pytest.raises(OSError, match="space"):
        writing.reserve(7, 1)


def test_a_full_disk_is_not_filled_to_find_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot fit is refused before the file system starts to allocate it."""
    asked: list[object] = []
    monkeypatch.setattr(writing, "_fallocate", lambda *arguments: asked.append(arguments))
    descriptor = os.memfd_create("test")
    found = os.fstatvfs(descriptor)
    try:
        with pytest.raises(OSError, match="space"):
            writing.reserve(descriptor, found.f_bavail * found.f_frsize + (1 << 40))
    finally:
        os.close(descriptor)
    assert asked == []
