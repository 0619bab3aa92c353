"""Reading what is stored once more: at a pace, slice by slice, and not beyond what is there."""

import hashlib
import os
import random
from pathlib import Path

import pytest
from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.stream.rehash import SLICE, Pace, Rehash, hash_blob
from tests.fakes.remote import InlinePool

DATA = random.Random(3).randbytes(2 * SLICE + 1000)


@define
class File:
    """An open blob."""

    descriptor: int
    size: int

    def fileno(self) -> int:
        """Its descriptor."""
        return self.descriptor

    def close(self) -> None:
        """It is the test's."""


def made(folder: Path, size: int = len(DATA)) -> File:
    """A file that says that it is so large."""
    (folder / "blob").write_bytes(DATA)
    return File(os.open(folder / "blob", os.O_RDONLY), size)


def test_slice_by_slice(tmp_path: Path) -> None:
    """Each says how large it was; together they are the whole."""
    file = made(tmp_path)
    rehash, taken = Rehash(file, InlinePool()), list[int]()
    while not rehash.done:
        Deferred.fromCoroutine(rehash.advance()).addCallback(taken.append)
    assert taken == [SLICE, SLICE, 1000]
    assert rehash.hexdigest() == hashlib.sha256(DATA).hexdigest()
    os.close(file.descriptor)


def test_at_a_pace(tmp_path: Path) -> None:
    """The second slice waits until the first has had its time, and so does the end."""
    file, clock = made(tmp_path), Clock()
    found: list[str] = []
    Deferred.fromCoroutine(hash_blob(file, InlinePool(), Pace(clock, SLICE / 10))).addCallback(found.append)
    clock.advance(9.9)
    assert found == []
    clock.pump([0.1, 9.9])
    assert found == []
    clock.pump([0.1, 1.0])
    assert found == [hashlib.sha256(DATA).hexdigest()]
    os.close(file.descriptor)


def test_time_that_was_not_used_is_lost() -> None:
    """A pace is no allowance for a burst after a rest."""
    clock, done = Clock(), list[str]()
    pace = Pace(clock, 10.0)
    clock.advance(1000)
    Deferred.fromCoroutine(pace.took(20)).addCallback(lambda _: done.append("first"))
    Deferred.fromCoroutine(pace.took(20)).addCallback(lambda _: done.append("second"))
    clock.advance(2)
    assert done == ["first"]
    clock.advance(2)
    assert done == ["first", "second"]


def test_no_pace() -> None:
    """Nothing waits."""
    clock, done = Clock(), list[str]()
    Deferred.fromCoroutine(Pace(clock).took(1 << 40)).addCallback(lambda _: done.append("done"))
    assert done == ["done"]


@pytest.mark.parametrize("hot", [True, False])
def test_what_was_not_in_memory_does_not_stay_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hot: bool) -> None:
    """What others had there does."""
    file = made(tmp_path)
    told: list[tuple[int, int, int]] = []
    looked: list[tuple[int, int]] = []

    def is_hot(_: int, offset: int, length: int) -> bool:
        looked.append((offset, length))
        return hot

    monkeypatch.setattr("regproxy.stream.pages.is_hot", is_hot)
    monkeypatch.setattr(os, "posix_fadvise", lambda _, *what: told.append(what))
    Deferred.fromCoroutine(hash_blob(file, InlinePool()))
    slices = [(0, SLICE), (SLICE, SLICE), (2 * SLICE, 1000)]
    assert looked == slices
    assert told == ([] if hot else [(*each, os.POSIX_FADV_DONTNEED) for each in slices])
    os.close(file.descriptor)


def test_shorter_than_it_was(tmp_path: Path) -> None:
    """Is an error of the disk."""
    file = made(tmp_path, len(DATA) + 1)
    outcome: list[object] = []
    Deferred.fromCoroutine(hash_blob(file, InlinePool())).addErrback(lambda failure: outcome.append(failure.getErrorMessage()))
    assert outcome == ["[Errno 5] the file is shorter than it was"]
    os.close(file.descriptor)


@pytest.mark.parametrize("size", [0, 1000, SLICE + 1000])
def test_longer_than_it_was(tmp_path: Path, size: int) -> None:
    """What is behind its end is not its own; there may be nothing before it."""
    file = made(tmp_path, size)
    found: list[str] = []
    Deferred.fromCoroutine(hash_blob(file, InlinePool())).addCallback(found.append)
    assert found == [hashlib.sha256(DATA[:size]).hexdigest()]
    os.close(file.descriptor)


@pytest.mark.parametrize("rate", [0.0, None])
def test_a_rate_of_nothing_is_none(rate: float | None) -> None:
    """As configured: 0 does not mean for ever."""
    done: list[str] = []
    Deferred.fromCoroutine(Pace(Clock(), rate).took(5)).addCallback(lambda _: done.append("done"))
    assert done == ["done"]
