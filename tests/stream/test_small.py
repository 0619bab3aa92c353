"""A small blob in memory is a blob like any other, whose bytes are at hand as well."""

import os

import pytest

from regproxy.stream.small import InMemory, SmallBlob


def test_its_bytes_both_ways() -> None:
    """As a whole, and by a descriptor that is made when it is wanted, once, and closed once."""
    doubts: list[int] = []
    blob = SmallBlob.of(b"abcdef", lambda: doubts.append(1))
    assert (blob.content, blob.size, blob.reach(0), blob.complete) == (b"abcdef", 6, 6, True)
    descriptor = blob.fileno(2)
    assert (os.pread(descriptor, 10, 2), blob.fileno()) == (b"cdef", descriptor)
    assert not os.get_inheritable(descriptor)
    blob.doubt()
    assert doubts == [1]
    blob.release()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_without_a_descriptor_there_is_nothing_to_close() -> None:
    """However often that is done; what is closed is made anew."""
    reader = InMemory(b"abc")
    reader.close()
    first = reader.fileno()
    reader.close()
    other = os.open(os.devnull, os.O_RDONLY)
    assert first == other
    reader.close()
    os.fstat(other)
    os.close(other)
    assert os.pread(reader.fileno(), 10, 0) == b"abc"
    reader.close()
