"""Small hot blobs in memory: which, how many, and that they are right."""

import hashlib
import os

import pytest

from regproxy.repo.remembered import CAPACITY, LONGEST, SEEN, Remembered
from regproxy.stream import pages
from regproxy.stream.small import InMemory


def name(content: bytes) -> str:
    """What it is called."""
    return hashlib.sha256(content).hexdigest()


def opened(kept: Remembered, content: bytes, times: int = 2) -> bool:
    """Read it from its file so often; whether it was right each time."""
    reader = InMemory(content)
    try:
        return all(kept.opened(name(content), reader) for _ in range(times))
    finally:
        reader.close()


@pytest.fixture
def kept() -> Remembered:
    """An empty one."""
    return Remembered()


def test_kept_the_second_time(kept: Remembered) -> None:
    """What is read once is not kept: a build that looks at everything once drives nothing out."""
    assert opened(kept, b"once", times=1)
    assert opened(kept, b"twice")
    assert (None, b"twice") == (kept.get(name(b"once")), kept.get(name(b"twice")))


def test_an_empty_one(kept: Remembered) -> None:
    """No bytes are bytes too."""
    assert opened(kept, b"")
    assert b"" == kept.get(name(b""))


def test_only_small_ones(kept: Remembered) -> None:
    """One byte too many."""
    assert opened(kept, bytes(LONGEST))
    assert opened(kept, bytes(LONGEST + 1))
    assert (bytes(LONGEST), None) == (kept.get(name(bytes(LONGEST))), kept.get(name(bytes(LONGEST + 1))))


def test_wrong_bytes_are_told(kept: Remembered) -> None:
    """What does not hash to its name is not kept."""
    reader = InMemory(b"spoilt")
    assert kept.opened(name(b"right"), reader)
    assert not kept.opened(name(b"right"), reader)
    assert kept.get(name(b"right")) is None
    reader.close()


def test_what_a_disk_would_be_asked_for_waits(kept: Remembered, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept when it is opened again and lies in the page cache."""
    monkeypatch.setattr(pages, "read_hot", lambda *_: None)
    assert opened(kept, b"cold", times=3)
    assert kept.get(name(b"cold")) is None
    monkeypatch.undo()
    assert opened(kept, b"cold", times=1)
    assert b"cold" == kept.get(name(b"cold"))


def test_the_least_recently_read_make_room(kept: Remembered) -> None:
    """Never more than the capacity; what was read lately stays."""
    count = CAPACITY // LONGEST
    contents = [index.to_bytes(4, "big").ljust(LONGEST) for index in range(count + 1)]
    for content in contents[:-1]:
        assert opened(kept, content)
    assert kept.get(name(contents[0])) is not None
    assert opened(kept, contents[-1])
    assert [True, False, True] == [kept.get(name(contents[index])) is not None for index in (0, 1, count)]


def test_names_that_were_seen_once_are_bounded(kept: Remembered) -> None:
    """The first of many is forgotten."""
    for index in range(SEEN + 1):
        assert opened(kept, b"%d" % index, times=1)
    assert opened(kept, b"0", times=1)
    assert kept.get(name(b"0")) is None


def test_a_descriptor_for_ranges() -> None:
    """It has the bytes, is made once, and is closed."""
    reader = InMemory(b"some bytes")
    descriptor = reader.fileno()
    assert descriptor == reader.fileno()
    assert b"bytes" == os.pread(descriptor, 10, 5)
    reader.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    reader.close()
