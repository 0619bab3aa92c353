"""Parking and the landing of the same artifact, when the disk takes its time."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from regproxy.model.fetch import Announced
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.ranges import Span
from regproxy.model.waybill import Waybill
from regproxy.repo.parking import Parked, Parking
from regproxy.sharing.notes import SharedNotes
from regproxy.store.disk import DiskStore
from regproxy.store.memory import MemoryStore
from regproxy.stream.lane import STALL
from tests.fakes.remote import BIG, InlinePool, bench, blob
from tests.repo.test_sessions import used_up

T = TypeVar("T")
WAYBILL = Waybill("r", "a", "https://upstream.example/a", Announced(Head(9)), validators=Headers((("etag", '"v"'),)))


@define(eq=False)
class Slow:
    """Threads whose jobs wait until they are let go."""

    jobs: list[Callable[[], object]] = field(factory=list)

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Queue it."""
        done: Deferred[T] = Deferred()
        self.jobs.append(lambda: maybeDeferred(work).chainDeferred(done))
        return done

    def work(self) -> None:
        """Do all of it."""
        while self.jobs:
            self.jobs.pop(0)()


def taken(parking: Parking, path: str) -> Parked | None:
    """Take one out, for which nothing has to be waited for."""
    got: list[Parked | None] = []
    Deferred.fromCoroutine(parking.take(("r", path))).addCallback(got.append)
    return got[0]


def test_what_lands_while_it_is_parked() -> None:
    """A client that was cut asks again at once, and has all of it before the disk has taken what was parked: that goes."""
    store, threads = MemoryStore(), Slow()
    parking = Parking(store, threads, Clock())  # type: ignore[arg-type] # enough of a pool
    writer = store.create(9, WAYBILL.to_json())
    writer.write_at(0, [b"abc"])
    ended: list[str] = []
    Deferred.fromCoroutine(parking.put(WAYBILL, writer)).addCallback(lambda _: ended.append("parked"))
    Deferred.fromCoroutine(parking.forget(("r", "a"))).addCallback(lambda _: ended.append("forgotten"))
    assert ended == []
    threads.work()
    assert (ended, store.left(), len(parking)) == (["parked", "forgotten"], [], 0)
    parking.close()


def test_nothing_is_parked() -> None:
    """Nothing is waited for."""
    threads, ended = Slow(), list[str]()
    parking = Parking(MemoryStore(), threads, Clock())  # type: ignore[arg-type] # as above
    Deferred.fromCoroutine(parking.forget(("r", "a"))).addCallback(lambda _: ended.append("forgotten"))
    assert (ended, threads.jobs) == (["forgotten"], [])


def test_one_that_cannot_be_kept_is_let_go() -> None:
    """A disk that fails then keeps neither its file nor its descriptor, nor the lock on it."""
    store, threads, ended = MemoryStore(), Slow(), list[object]()
    parking = Parking(store, threads, Clock())  # type: ignore[arg-type] # as above
    writer: Any = store.create(9, WAYBILL.to_json())

    class Full:
        name, abort = writer.name, writer.abort

        def keep(self, *, durable: bool) -> bool:
            raise OSError(errno.ENOSPC, f"full {durable}")

    Deferred.fromCoroutine(parking.put(WAYBILL, Full())).addErrback(ended.append)  # type: ignore[arg-type] # enough of one
    threads.work()
    assert ([type(failure) for failure in ended], writer.fileno()) == ([Failure], -1)


def test_one_that_is_gone_on_with_while_others_expire() -> None:
    """Is none of those; the rest go, and the clock runs on."""
    clock, threads = Clock(), Slow()
    store = MemoryStore(clock=clock.seconds)
    parking = Parking(store, threads, clock, seconds=100.0)  # type: ignore[arg-type] # as above
    for path in ("a", "b", "c"):
        waybill = evolve(WAYBILL, path=path)
        writer = store.create(9, waybill.to_json())
        writer.write_at(0, [b"abc"])
        Deferred.fromCoroutine(parking.put(waybill, writer))
        threads.work()
    clock.advance(100.0)
    parked = taken(parking, "b")
    assert parked is not None
    threads.work()
    assert (len(parking), [left.name for left in store.left()]) == (0, [parked.left.name])
    parking.close()


@pytest.mark.parametrize("order", [("put", "recall"), ("recall", "put")])
def test_what_another_process_left_while_one_is_parked(tmp_path: Path, order: tuple[str, str]) -> None:
    """It has no digest, and nobody let go of it in good order: who follows it goes on with it, whatever is parked meanwhile."""
    theirs, ours, threads = DiskStore(tmp_path), DiskStore(tmp_path), Slow()
    parking = Parking(ours, threads, Clock(), seconds=time.time())  # type: ignore[arg-type] # as above
    dying = theirs.create(9, WAYBILL.to_json())
    dying.write_at(0, [b"abc"])
    name, other = str(dying.name), evolve(WAYBILL, path="b")
    dying._close()  # as the end of a process does
    mine = ours.create(9, other.to_json())
    mine.write_at(0, [b"abc"])
    steps = {"put": lambda: parking.put(other, mine), "recall": lambda: parking.recall(("r", "a"), name)}
    for step in order:
        Deferred.fromCoroutine(steps[step]())
        threads.work()
    parked = taken(parking, "a")
    assert parked is not None
    assert (parked.left.name, parked.left.extents, len(parking)) == (name, (Span(0, 3),), 1)
    writer = ours.resume(name, 9)
    assert writer is not None
    writer.abort()
    parking.close()


def test_what_was_left_before_the_start(tmp_path: Path) -> None:
    """The machine may have lost power since: without a digest only what was let go in good order stays."""
    store = DiskStore(tmp_path)
    parking = Parking(store, Slow(), Clock(), seconds=time.time())  # type: ignore[arg-type] # as above
    dying, kept = store.create(9, WAYBILL.to_json()), store.create(9, evolve(WAYBILL, path="b").to_json())
    dying.write_at(0, [b"abc"])
    dying._close()
    kept.write_at(0, [b"abc"])
    name = kept.name
    assert kept.keep(durable=True)
    parking.load()
    assert ([left.name for left in store.left()], len(parking)) == ([name], 1)
    parking.close()


@pytest.mark.parametrize("how", ["gone on with", "stored", "given back"])
def test_what_another_process_has_parked(tmp_path: Path, how: str) -> None:
    """It is used, and removed, as one's own."""
    notes = SharedNotes(tmp_path)
    store, threads = DiskStore(tmp_path / "store"), InlinePool()
    theirs, ours = (Parking(store, threads, Clock(), seconds=time.time(), notes=notes) for _ in range(2))
    writer = store.create(9, WAYBILL.to_json())
    writer.write_at(0, [b"abc"])
    Deferred.fromCoroutine(theirs.put(WAYBILL, writer))
    if how == "stored":
        Deferred.fromCoroutine(ours.forget(("r", "a")))
    else:
        parked = taken(ours, "a")
        assert parked is not None
        assert parked.left.extents == (Span(0, 3),)
        if how == "given back":
            ours.give_back(parked)
            parked = taken(theirs, "a")
            assert parked is not None
        Deferred.fromCoroutine(ours.drop(parked))
    assert (store.left(), store.unfinished()) == ([], [])
    for parking in (ours, theirs):
        parking.close()
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_notes_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    """They are no harm."""
    notes = SharedNotes(tmp_path / "none")
    notes.write(("r", "a"), "name")
    assert notes.take(("r", "a")) is None


def left_by_dead(store: DiskStore, waybill: Waybill, body: bytes = b"abc") -> str:
    """What a process was receiving when it ended."""
    dying = store.create(9, waybill.to_json())
    dying.write_at(0, [body])
    name = str(dying.name)
    dying._close()
    return name


def test_what_is_being_gone_on_with_while_a_process_starts(tmp_path: Path) -> None:
    """It lies there until upstream has answered, and the starting process leaves it alone: the machine has run."""
    store, clock = DiskStore(tmp_path), Clock()
    clock.advance(time.time())
    name = left_by_dead(store, WAYBILL)
    other = Parking(store, InlinePool(), clock)
    other.load(runs=True)
    other.close()
    writer = store.resume(name, 9)
    assert writer is not None
    writer.abort()


def test_a_note_of_an_older_one(tmp_path: Path) -> None:
    """It does not displace what is recalled, which clients are reading."""
    store, notes = DiskStore(tmp_path / "store"), SharedNotes(tmp_path)
    older, name = left_by_dead(store, WAYBILL), left_by_dead(store, WAYBILL)
    notes.write(("r", "a"), older)
    parking = Parking(store, InlinePool(), Clock(), seconds=time.time(), notes=notes)
    Deferred.fromCoroutine(parking.recall(("r", "a"), name))
    parked = taken(parking, "a")
    assert parked is not None
    assert parked.left.name == name
    parking.close()


def parked_by_one_of_two(tmp_path: Path) -> tuple[DiskStore, SharedNotes, Clock, Parking, Parking]:
    """Of two processes the first has parked a part."""
    store, notes, clock = DiskStore(tmp_path / "store"), SharedNotes(tmp_path), Clock()
    clock.advance(time.time())
    ours, theirs = (Parking(store, InlinePool(), clock, 100.0, notes=notes) for _ in range(2))
    writer = store.create(9, WAYBILL.to_json())
    writer.write_at(0, [b"abc"])
    Deferred.fromCoroutine(ours.put(WAYBILL, writer))
    return store, notes, clock, ours, theirs


def test_what_another_process_has_added_to_it(tmp_path: Path) -> None:
    """And parked again under the same name, is known; when it is too old its note goes, too."""
    _, _, clock, ours, theirs = parked_by_one_of_two(tmp_path)
    parked = taken(theirs, "a")
    assert parked is not None
    resumed = theirs.resume(parked)
    assert resumed is not None
    resumed.write_at(3, [b"def"])
    Deferred.fromCoroutine(theirs.put(WAYBILL, resumed))
    parked = taken(ours, "a")
    assert parked is not None
    assert parked.left.extents == (Span(0, 6),)
    ours.give_back(parked)
    clock.advance(200)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    ours.close()
    theirs.close()


def test_one_of_ours_that_another_process_has_added_to(tmp_path: Path) -> None:
    """It is kept from when it was parked last, whichever process looks whether it is too old."""
    store, notes, clock, ours, theirs = parked_by_one_of_two(tmp_path)
    clock.advance(90)
    parked = taken(theirs, "a")
    assert parked is not None
    resumed = theirs.resume(parked)
    assert resumed is not None
    resumed.write_at(3, [b"def"])
    Deferred.fromCoroutine(theirs.put(WAYBILL, resumed))
    for path in (tmp_path / "store" / "spool").iterdir():
        os.utime(path, (clock.seconds(), clock.seconds()))
    theirs.close()
    clock.advance(20)
    third = Parking(store, InlinePool(), clock, 100.0, notes=notes)
    parked = taken(third, "a")
    assert parked is not None
    assert parked.left.extents == (Span(0, 6),)
    third.give_back(parked)
    clock.advance(100)
    assert store.left() == []
    for parking in (ours, third):
        parking.close()


def test_one_of_ours_that_is_too_old(tmp_path: Path) -> None:
    """Goes without what is said of the one that another process has."""
    store, notes, clock = DiskStore(tmp_path / "store"), SharedNotes(tmp_path), Clock()
    clock.advance(time.time())
    parking = Parking(store, InlinePool(), clock, 100.0, notes=notes)
    writer = store.create(9, WAYBILL.to_json())
    writer.write_at(0, [b"abc"])
    Deferred.fromCoroutine(parking.put(WAYBILL, writer))
    notes.write(("r", "a"), "another")
    clock.advance(110)
    assert (store.left(), notes.take(("r", "a"))) == ([], "another")
    parking.close()


def test_a_note_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it is read."""
    notes, seen, write = SharedNotes(tmp_path), list[str | None](), Path.write_text

    def written(path: Path, text: str, encoding: str) -> int:
        write(path, text[:2], encoding)
        seen.append(notes.take(("r", "a")))
        return write(path, text, encoding)

    monkeypatch.setattr(Path, "write_text", written)
    notes.write(("r", "a"), "name")
    assert (seen, notes.take(("r", "a"))) == ([None], "name")


def test_a_disk_that_does_not_say_what_a_dead_process_left() -> None:
    """Nobody waits for it, and what it says later is nothing new."""
    clock, threads = Clock(), Slow()
    parking = Parking(MemoryStore(), threads, clock)  # type: ignore[arg-type] # as above
    ended: list[object] = []
    Deferred.fromCoroutine(parking.recall(("r", "a"), "0" * 32)).addBoth(ended.append)
    clock.advance(STALL)
    assert ended == [None]
    threads.work()
    assert len(parking) == 0


@pytest.mark.parametrize("how", ["fails", "stands still"])
def test_a_disk_that_does_not_say_what_others_have_parked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Upstream is asked for all of it."""
    made, notes = bench(), SharedNotes(tmp_path)
    made.parts.parking.notes = notes
    notes.write(("r", "a/b"), "0" * 32)
    if how == "fails":
        monkeypatch.setattr(MemoryStore, "left", used_up)
    else:
        made.parts.parking._threads = Slow()  # type: ignore[assignment] # as above
    made.resolve(blob(BIG))
    made.clock.advance(STALL)
    assert [question.headers.first("range") for question in made.upstream.questions] == [None]
