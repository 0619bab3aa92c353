"""Two processes with one launch, as far as one process can be two: locks are of open files, and each side has its own."""

import gc
import hashlib
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.task import deferLater

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest
from regproxy.model.fetch import Announced
from regproxy.model.head import Head
from regproxy.model.ranges import Span
from regproxy.model.waybill import Waybill
from regproxy.repo.interface import Missing
from regproxy.repo.spoken import Outcome, heard, spoken
from regproxy.sharing.flights import SharedByMarks, SharedLaunch
from regproxy.sharing.terms import Terms
from regproxy.sharing.watches import Watches
from regproxy.store.disk import DiskStore
from regproxy.store.spool import SpoolWriter
from regproxy.stream.flight import Airborne, Flight, Flights
from regproxy.stream.growing import TAIL, GrowingBlob

reactor = cast(PosixReactorBase, installed)

KEY = ("files", "big")
DATA = os.urandom(4 * TAIL)
SHA256 = Digest("sha256", hashlib.sha256(DATA).hexdigest())
WAYBILL = Waybill(*KEY, "http://upstream/big", Announced(Head(len(DATA), "text/plain")), (SHA256,))


async def _nothing(_: Flight[Outcome]) -> None:
    raise AssertionError("nothing was to be launched")


@define(eq=False)
class Side:
    """One process: what it launches is ``launch``, and it may have arrived."""

    folder: Path
    launch: "Callable[[Flight[Outcome]], Coroutine[Any, Any, None]]" = _nothing
    arrived: bool = False
    recalled: list[str] = field(factory=list, init=False)
    launched: int = field(default=0, init=False)
    store: DiskStore = field(init=False)
    flights: Flights[Outcome] = field(init=False)
    sharing: SharedByMarks = field(init=False)

    def __attrs_post_init__(self) -> None:
        marks = self.folder / "flights"
        marks.mkdir(exist_ok=True)
        self.store = DiskStore(self.folder / "store")
        self.flights = Flights(reactor)
        self.sharing = SharedByMarks(marks, self.store, Watches(reactor), reactor)

    def join(self) -> Flight[Outcome]:
        """Ask."""

        async def recall(name: str) -> None:
            self.recalled.append(name)

        async def launch(flight: Flight[Outcome]) -> None:
            self.launched += 1
            await self.launch(flight)

        terms = Terms(lambda: self.arrived, recall, spoken, heard)
        return self.flights.join(KEY, self.sharing.launch(launch, terms))[0]


@define(eq=False)
class Body:
    """A launch that brings what the test says."""

    store: DiskStore
    writer: SpoolWriter = field(init=False)
    blob: GrowingBlob = field(init=False)
    ended: "Deferred[None]" = field(factory=Deferred, init=False)

    async def launch(self, flight: Flight[Outcome]) -> None:
        """Announce a body and wait for its end."""
        self.writer = self.store.create(len(DATA), WAYBILL.to_json())
        self.blob = GrowingBlob.over(self.writer.fileno(), len(DATA), withheld=True)
        assert self.writer.name is not None
        flight.spool(self.writer.name)
        flight.announce(Airborne(WAYBILL.announced.head, self.blob))
        try:
            await self.ended
        except RegproxyError as error:
            self.blob.fail(error)
        self.blob.release()

    def bring(self, start: int, stop: int) -> None:
        """Bytes have come."""
        self.writer.write_at(start, [DATA[start:stop]])
        self.blob.wrote(Span(start, stop))

    def land(self) -> None:
        """All of it has come, and is right."""
        self.blob.succeed()
        self.writer.commit(SHA256.hex, durable=False)
        self.ended.callback(None)


async def until(holds: Callable[[], bool]) -> None:
    """Let the reactor turn until it is so."""
    for _ in range(2000):
        if holds():
            return
        await deferLater(reactor, 0.005)
    raise AssertionError("it does not come true")


async def two(tmp_path: Path) -> tuple[Side, Side, Body, "Flight[Outcome]", GrowingBlob]:
    """One who fills and one who follows, and what the latter has."""
    filler, follower = Side(tmp_path), Side(tmp_path)
    body = Body(filler.store)
    filler.launch = body.launch
    first = filler.join()
    assert first.is_announced
    flight = follower.join()
    outcome = await flight.announced()
    assert isinstance(outcome, Airborne)
    assert outcome.head == WAYBILL.announced.head
    return filler, follower, body, flight, outcome.blob.hold()


@pytest_twisted.ensureDeferred
async def test_bytes_are_followed_and_the_tail_waits(tmp_path: Path) -> None:
    """What one brings the other reads from the same file; the tail when it has the verdict."""
    _, follower, body, flight, blob = await two(tmp_path)
    body.bring(0, TAIL)
    await until(lambda: blob.reach(0) == TAIL)
    assert os.pread(blob.fileno(), TAIL, 0) == DATA[:TAIL]
    body.bring(2 * TAIL, len(DATA))
    body.bring(TAIL, 2 * TAIL)
    await until(lambda: blob.extents.reach(0) == len(DATA))
    assert blob.reach(0) == len(DATA) - TAIL
    assert not blob.complete
    body.land()
    await flight.landed()
    assert (blob.complete, blob.reach(0), follower.launched) == (True, len(DATA), 0)
    assert os.pread(blob.fileno(), len(DATA), 0) == DATA
    assert list((tmp_path / "flights").iterdir()) == []
    blob.release()


@pytest_twisted.ensureDeferred
async def test_wrong_bytes_are_cut_everywhere(tmp_path: Path) -> None:
    """A body that fails fails for those who follow; nobody gets its tail."""
    _, follower, body, flight, blob = await two(tmp_path)
    body.bring(0, len(DATA))
    body.ended.errback(RegproxyError(Kind.INTEGRITY, "wrong bytes"))
    body.writer.abort()
    await flight.landed()
    assert blob.failed is not None
    assert blob.reach(0) <= len(DATA) - TAIL
    assert follower.launched == 0
    blob.release()


@pytest_twisted.ensureDeferred
async def test_the_filler_dies(tmp_path: Path) -> None:
    """Its files are closed by the kernel: who follows goes on with the same spool file, and his clients notice nothing."""
    filler, follower, body, flight, blob = await two(tmp_path)
    body.bring(0, TAIL)
    await until(lambda: blob.reach(0) == TAIL)
    successor = Body(follower.store)

    async def go_on(inner: Flight[Outcome]) -> None:
        assert inner.is_awaited
        writer = follower.store.resume(follower.recalled[0], len(DATA))
        assert writer is not None
        successor.writer = writer
        successor.blob = GrowingBlob.over(writer.fileno(), len(DATA), withheld=True)
        successor.blob.wrote(Span(0, TAIL))
        assert writer.name is not None
        inner.spool(writer.name)
        inner.announce(Airborne(WAYBILL.announced.head, successor.blob))
        await successor.ended
        successor.blob.release()

    follower.launch = go_on
    body.writer._close()  # as the end of a process does
    body.blob.release()
    _close_marks(filler)
    await until(lambda: follower.launched == 1)
    successor.bring(TAIL, len(DATA))
    await until(lambda: blob.reach(0) == len(DATA) - TAIL)
    successor.land()
    await flight.landed()
    assert blob.complete
    assert os.pread(blob.fileno(), len(DATA), 0) == DATA
    blob.release()
    body.ended.callback(None)


def _close_marks(side: Side) -> None:
    """Let go of what a process lets go of when it ends."""
    flights = list(side.flights)
    for launch in [each for each in gc.get_objects() if isinstance(each, SharedLaunch) and each._flight in flights]:
        assert launch._mark is not None
        launch._mark.close()
        launch._mark = None


@pytest_twisted.ensureDeferred
async def test_answers_without_a_body(tmp_path: Path) -> None:
    """Upstream's refusal is told, not asked for again."""
    filler, follower = Side(tmp_path), Side(tmp_path)
    answer: Deferred[None] = Deferred()

    async def refuse(flight: Flight[Outcome]) -> None:
        await answer
        flight.announce(Missing("upstream does not have it"))

    filler.launch = refuse
    filler.join()
    flight = follower.join()
    assert not flight.is_announced
    answer.callback(None)
    assert await flight.announced() == Missing("upstream does not have it")
    assert follower.launched == 0


@pytest_twisted.ensureDeferred
async def test_stored_meanwhile(tmp_path: Path) -> None:
    """Who gets the lock looks whether there is still something to ask for."""
    side = Side(tmp_path, arrived=True)
    flight = side.join()
    assert await flight.announced() is None
    assert side.launched == 0
    assert list((tmp_path / "flights").iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_shared(tmp_path: Path) -> None:
    """A body that lies in no file of the store: everybody asks for himself."""
    filler, follower = Side(tmp_path), Side(tmp_path)
    go: Deferred[None] = Deferred()
    blob = GrowingBlob.over(os.memfd_create("x"), 10, withheld=False)

    async def through(flight: Flight[Outcome]) -> None:
        await go
        flight.announce(Airborne(Head(10), blob.hold()))

    async def own(flight: Flight[Outcome]) -> None:
        flight.announce(None)

    filler.launch, follower.launch = through, own
    filler.join()
    flight = follower.join()
    go.callback(None)
    assert await flight.announced() is None
    assert follower.launched == 1


@pytest_twisted.ensureDeferred
async def test_a_launch_that_fails(tmp_path: Path) -> None:
    """Who follows hears what went wrong, in the filler's words."""
    filler, follower = Side(tmp_path), Side(tmp_path)
    go: Deferred[None] = Deferred()

    async def fail(_: Flight[Outcome]) -> None:
        await go
        raise RegproxyError(Kind.UPSTREAM_SLOW, "no answer")

    filler.launch = fail
    first, flight = filler.join(), follower.join()
    heard_here: list[Any] = []
    first.announced().addErrback(heard_here.append)
    go.callback(None)
    with pytest.raises(RegproxyError, match="no answer") as caught:
        await flight.announced()
    assert caught.value.kind is Kind.UPSTREAM_SLOW
    assert len(heard_here) == 1
