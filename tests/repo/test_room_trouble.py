"""Room is made on a disk that fails, or stands still: it costs the copy at most, and nobody waits for it without an end."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define
from twisted.internet.defer import Deferred, maybeDeferred

from regproxy.errors import Kind
from regproxy.repo.interface import Body as Answered
from regproxy.repo.room import PATIENCE
from regproxy.store.interface import Space
from regproxy.store.memory import MemoryAside, MemoryStore
from regproxy.stream.lane import STALL, stalled
from tests.fakes.remote import BIG, Bench, Body, InlinePool, bench, blob
from tests.repo.test_growth import crowded, paths, pieces, upload
from tests.repo.test_room import KIB, hold, take


@define
class Failing(MemoryStore):
    """Fails where it takes a blob aside, or says how much is free."""

    taking: int = 0
    saying: int = 0

    def set_aside(self, sha256: str) -> MemoryAside | None:
        """Fail, or do it."""
        if self.taking:
            raise OSError(self.taking, os.strerror(self.taking))
        return super().set_aside(sha256)

    def space(self) -> Space:
        """Fail, or say."""
        if self.saying:
            raise OSError(self.saying, os.strerror(self.saying))
        return super().space()


@define
class Slow:
    """A pool of a disk that stands still, or does one job after the other when it is told to."""

    waiting: list[Callable[[], None]]

    def run(self, work: Callable[[], object]) -> "Deferred[Any]":
        """Wait."""
        done: Deferred[Any] = Deferred()
        self.waiting.append(lambda: done.callback(work()))
        return done


def slow(made: Bench) -> list[Callable[[], None]]:
    """Make evictions slow; returns the jobs that wait."""
    waiting: list[Callable[[], None]] = []
    made.parts.room.eviction._pool = Slow(waiting)
    return waiting


def at_the_limit(store: MemoryStore | None = None, blobs: int = 1) -> Bench:
    """A store that is full but for 100 KiB of its limit."""
    made = bench(store=store or MemoryStore())
    made.parts.room.limit = 300 * KIB
    for number in range(blobs):
        hold(made, bytes([number]) * (200 // blobs) * KIB, f"old-{number}")
    return made


@pytest.mark.parametrize("code", [errno.EROFS, errno.EIO])
def test_a_disk_that_lets_nothing_go_is_passed_by(code: int) -> None:
    """The store is at its limit, and the disk has become read-only: the body passes."""
    store = Failing()
    made = at_the_limit(store)
    store.taking = code
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    assert isinstance(got[0], Answered)
    assert not body.aborted
    assert made.parts.room.trouble is not None


def test_a_fill_does_not_wait_for_an_eviction_that_stands_still() -> None:
    """It passes, and the next one does not even ask."""
    made = at_the_limit()
    slow(made)
    got = made.resolve(blob(BIG))
    made.upstream.answer(200, Body(len(BIG)))
    made.clock.advance(STALL)
    assert isinstance(got[0], Answered)
    assert made.parts.room.trouble is not None
    again = made.resolve(blob(BIG, "again"))
    made.upstream.answer(200, Body(len(BIG)))
    assert isinstance(again[0], Answered)


def test_an_eviction_that_gets_on_is_waited_for() -> None:
    """However long it takes in all."""
    made = at_the_limit(blobs=10)
    waiting = slow(made)
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    jobs = 0
    while waiting:
        made.clock.advance(STALL / 4)
        waiting.pop(0)()
        jobs += 1
    assert jobs / 4 > 2  # longer than a disk may stand still
    body.send(BIG)
    body.end()
    assert isinstance(got[0], Answered)
    assert made.parts.room.trouble is None
    assert made.parts.room.live() == 0
    assert made.parts.index.node("r", "a/b") is not None


def test_what_a_stuck_eviction_reserves_at_last_is_nobodys() -> None:
    """The fill has gone on without it."""
    made = at_the_limit()
    waiting = slow(made)
    made.resolve(blob(BIG))
    made.upstream.answer(200, Body(len(BIG)))
    made.clock.advance(STALL)
    while waiting:
        waiting.pop(0)()
    assert made.parts.room.live() == 0


def test_a_fill_is_not_held_up_by_one_that_grows() -> None:
    """Four bytes, for which there is room."""
    made = crowded()
    slow(made)
    data = b"".join(pieces(150))
    made.resolve(blob(data, "grows"))
    body = made.upstream.answer(200, Body(None))
    body.send(data[: 10 * KIB])
    body.send(data[10 * KIB : 20 * KIB])
    made.clock.advance(PATIENCE)
    made.resolve(blob(b"tiny", "tiny"))
    small = made.upstream.answer(200, Body(4))
    made.clock.advance(STALL)
    assert small.consumer is not None


def test_an_upload_waits_once_for_an_eviction_that_stands_still() -> None:
    """There is room for it without that."""
    made = crowded()
    slow(made)
    body, ended = upload(made)
    for piece in pieces(40):  # of 50 that are free
        body.send(piece)
        made.clock.advance(PATIENCE if piece == pieces(40)[1] else 0)
    body.end()
    assert getattr(ended[0], "size", ended) == 40 * KIB


@pytest.mark.parametrize("at", [0, len(BIG)])
def test_what_the_disk_does_not_say_of_a_body_of_unknown_length_writing_does(at: int) -> None:
    """``statvfs`` fails, as on a network's file system, at the start or in the body."""
    store = Failing()
    made, data = bench(store=store), BIG * 2
    got = made.resolve(blob(data))
    body, taken = made.upstream.answer(200, Body(None)), b""
    for offset in range(0, len(data), 16 * KIB):
        if offset == at:
            store.saying = errno.EIO
        body.send(data[offset : offset + 16 * KIB])
        if got:
            assert isinstance(got[0], Answered)
            taken += take(got[0].readable, len(taken))
    body.end()
    assert isinstance(got[0], Answered)
    assert taken + take(got[0].readable, len(taken)) == data


def test_what_the_disk_does_not_say_of_a_body_of_known_length_writing_does() -> None:
    """As above."""
    store = Failing(saying=errno.EIO)
    made = bench(store=store)
    got = made.resolve(blob(BIG))
    made.upstream.answer(200, Body(len(BIG)))
    assert isinstance(got[0], Answered)


def test_what_is_left_is_asked_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that stands still is not to stop the process."""
    made, inside, outside = crowded(), [0], list[int]()
    space = MemoryStore.space

    def run(_: InlinePool, work: Callable[[], object]) -> "Deferred[Any]":
        def job() -> object:
            inside[0] += 1
            try:
                return work()
            finally:
                inside[0] -= 1

        return maybeDeferred(job)

    def asked(store: MemoryStore) -> Space:
        if not inside[0]:
            outside.append(1)
        return space(store)

    growing, _ = upload(made)
    monkeypatch.setattr(InlinePool, "run", run)
    monkeypatch.setattr(MemoryStore, "space", asked)
    for piece in pieces(50):
        growing.send(piece)
    made.resolve(blob(BIG))
    made.upstream.answer(200, Body(len(BIG)))
    assert outside == []


def test_a_stall_is_over_when_the_disk_answers_though_it_is_low() -> None:
    """An upload is told that there is no room, not that the disk does not answer."""
    made = bench(store=MemoryStore(capacity=10_000 * KIB))
    hold(made, b"l" * 9600 * KIB, "local", origin="")  # 400 are free, 500 are the reserve
    made.parts.room.troubled("r", stalled())
    made.clock.pump([2.0] * 3)
    said: list[Any] = []
    Deferred.fromCoroutine(made.parts.room.make(10 * KIB)).addErrback(said.append)
    assert said[0].value.kind is Kind.NO_ROOM


def test_a_fill_waits_for_the_eviction_of_another_no_longer_than_its_patience() -> None:
    """Though that gets on; and its turn comes."""
    made = bench()
    for number in range(100):
        hold(made, bytes([number]) * 10 * KIB, f"old-{number}")
    made.store.capacity = 1100 * KIB
    waiting = slow(made)
    made.resolve(blob(BIG * 3, "large"))
    large = made.upstream.answer(200, Body(len(BIG * 3)))
    small = made.resolve(blob(b"tiny", "tiny"))
    body = made.upstream.answer(200, Body(4))
    made.clock.advance(PATIENCE)
    body.send(b"tiny")
    body.end()
    assert (len(small), large.consumer, made.recorder.passed) == (1, None, 1)
    while waiting:
        waiting.pop(0)()
    assert large.consumer is not None
    assert made.parts.room.live() == len(BIG * 3)


def test_a_fill_that_lands_while_a_repository_shrinks_costs_nothing() -> None:
    """It was counted before."""
    made = bench(max_bytes="1MiB")
    for number in range(10):
        hold(made, bytes([number]) * 100 * KIB, str(number))
    first = b"f" * 200 * KIB
    got = made.resolve(blob(first, "first"))
    body = made.upstream.answer(200, Body(len(first)))
    assert paths(made) == list("23456789")
    body.send(first[:-1])
    waiting = slow(made)
    made.resolve(blob(BIG, "second"))
    made.upstream.answer(200, Body(len(BIG)))  # 800 + 200 + 256 are 232 too many: three have to go
    body.send(first[-1:])
    body.end()
    got[0].readable.release()
    while waiting:
        waiting.pop(0)()
    assert paths(made) == ["5", "6", "7", "8", "9", "first"]
