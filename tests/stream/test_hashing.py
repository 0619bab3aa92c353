"""Hashes follow the prefix, in whatever order the bytes are written."""

import os
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from regproxy.model.digest import Digest
from regproxy.model.ranges import Span
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.hashing import LAG, Hashes, PrefixHashes

T = TypeVar("T")

DATA = bytes(range(256)) * 65536  # 16 MiB: more than a lag and a job


class Later:
    """Threads that run jobs when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Note a job."""
        done: Deferred[T] = Deferred()

        def job() -> None:
            try:
                result = work()
            except OSError:
                done.errback()
            else:
                done.callback(result)

        self.jobs.append(job)
        return done

    def all(self) -> None:
        """Run everything."""
        while self.jobs:
            self.jobs.pop(0)()


class Bench:
    """A blob, its file, and the hashes of its prefix."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("blob")
        self.blob = GrowingBlob.over(self.fd, len(DATA), withheld=True)
        self.later = Later()
        self.hashes = PrefixHashes(Hashes.of((), len(DATA)), self.blob, self.later)

    def write(self, span: Span) -> bool:
        """Write as an ingest does; whether the bytes were hashed in the same hop."""
        data = DATA[span.start : span.stop]
        update = self.hashes.claim(span.start)
        if update is not None:
            update([data])
        os.pwrite(self.fd, data, span.start)
        if update is not None:
            self.hashes.release(len(span))
        self.blob.wrote(span)
        self.hashes.follow()
        return update is not None

    def result(self) -> Digest:
        """Everything is written: wait for the hashes."""
        ended: list[Failure | None] = []
        Deferred.fromCoroutine(self.hashes.finish()).addBoth(ended.append)
        self.later.all()
        self.blob.release()
        os.close(self.fd)
        (outcome,) = ended
        if isinstance(outcome, Failure):
            outcome.raiseException()
        return self.hashes.hashes.digests()["sha256"]


def test_which_hashes_run() -> None:
    """SHA-256 and what verifies the body, each once; a Git object's only where the length is known, which it begins with."""
    wanted = [Digest("sha1", "0" * 40), Digest("git-sha1", "0" * 40), Digest("sha256", "0" * 64)]
    for length, names in ((3, ["git-sha1", "sha1", "sha256"]), (None, ["sha1", "sha256"])):
        hashes = Hashes.of(wanted, length)
        hashes.update([b"a", b"bc"])
        assert list(hashes.digests()) == names
        assert hashes.digests()["sha256"] == Digest.of(b"abc")
    assert list(Hashes.of((), 3).digests()) == ["sha256"]


def test_in_order_it_is_one_hop() -> None:
    """Nothing is read back of bytes that come in order."""
    bench = Bench()
    for at in range(0, len(DATA), 1 << 20):
        assert bench.write(Span(at, at + (1 << 20)))
    assert bench.later.jobs == []
    assert bench.result() == Digest.of(DATA)


def test_what_was_written_ahead_is_read_back() -> None:
    """And who writes at the end of it hashes in the same hop again."""
    bench = Bench()
    assert not bench.write(Span(1 << 20, 12 << 20))
    assert bench.later.jobs == []
    assert bench.write(Span(0, 1 << 20))
    assert not bench.write(Span(12 << 20, 13 << 20))
    bench.later.all()
    assert bench.hashes.position >= (13 << 20) - LAG
    assert bench.write(Span(13 << 20, 14 << 20))
    assert bench.hashes.position == 14 << 20
    bench.write(Span(14 << 20, len(DATA)))
    assert bench.result() == Digest.of(DATA)


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.integers(1, len(DATA) - 1), max_size=12))
def test_any_order(random: object, cuts: list[int]) -> None:
    """The same digest whatever the order, and whenever the threads come to run."""
    bench, edges = Bench(), sorted({0, len(DATA), *cuts})
    spans = [Span(start, stop) for start, stop in pairwise(edges)]
    random.shuffle(spans)  # type: ignore[attr-defined] # Hypothesis has no type for it
    for span in spans:
        bench.write(span)
        if random.random() < 0.5 and bench.later.jobs:  # type: ignore[attr-defined] # as above
            bench.later.jobs.pop(0)()
    assert bench.result() == Digest.of(DATA)


@pytest.mark.parametrize("gap", [0, 1 << 20])
def test_what_was_hashed_and_not_written_is_taken_back(gap: int) -> None:
    """Its thread may still be at the hashes that it has; whoever brings the bytes again goes on from those before."""
    bench = Bench()
    bench.write(Span(0, 1 << 20))
    if gap:
        bench.hashes.claim(1 << 20)  # so that what comes next is written, and not hashed
        bench.write(Span(1 << 20, 2 << 20))
        bench.hashes.undo()
    update = bench.hashes.claim((1 << 20) + gap)
    assert update is not None
    update([b"not written"])
    bench.hashes.undo()
    update([b"still at it"])
    for at in range((1 << 20) + gap, len(DATA), 1 << 20):
        assert bench.write(Span(at, at + (1 << 20)))
    assert bench.result() == Digest.of(DATA)


def test_what_was_there_before_is_read_back() -> None:
    """All of it, before anything is claimed."""
    bench = Bench()
    os.pwrite(bench.fd, DATA, 0)
    bench.blob.wrote(Span(0, len(DATA) - 1000))
    bench.hashes.follow()
    bench.later.all()
    assert bench.hashes.position == len(DATA) - 1000
    assert bench.write(Span(len(DATA) - 1000, len(DATA)))
    assert bench.result() == Digest.of(DATA)


def test_nothing_to_take_back() -> None:
    """Whoever has claimed nothing changes nothing."""
    bench = Bench()
    bench.write(Span(0, 1 << 20))
    bench.hashes.undo()
    assert bench.write(Span(1 << 20, len(DATA)))
    assert bench.result() == Digest.of(DATA)


def test_what_cannot_be_read_in_time_is_left() -> None:
    """A thread that is stuck reading keeps the hashes that it has, and does not go on reading when it comes to."""
    bench = Bench()
    bench.write(Span(1 << 20, len(DATA)))
    bench.write(Span(0, 1 << 20))
    position, hashes = bench.hashes.leave()
    before = hashes.digests()
    bench.later.all()
    assert isinstance(bench.hashes.error, OSError)
    assert position == 1 << 20
    assert hashes.digests() == before == {"sha256": Digest.of(DATA[: 1 << 20])}
    bench.blob.release()
    os.close(bench.fd)


def test_it_stops_when_nobody_reads_any_more() -> None:
    """The descriptor may be closed then: nothing is read back behind it."""
    bench = Bench()
    bench.write(Span(1 << 20, len(DATA)))
    bench.write(Span(0, 1 << 20))
    stopped = Deferred.fromCoroutine(bench.hashes.stop())
    assert not stopped.called
    bench.later.all()
    assert stopped.called
    assert bench.hashes.position < len(DATA)
    bench.blob.release()
    os.close(bench.fd)


def test_what_cannot_be_read_back() -> None:
    """It is an error of the disk, not a wrong digest."""
    bench = Bench()
    bench.write(Span(1 << 20, len(DATA)))
    bench.write(Span(0, 1 << 20))
    os.ftruncate(bench.fd, 1 << 20)
    with pytest.raises(OSError, match="shorter"):
        bench.result()
