"""Parking and the landing of the same artifact, when the disk takes its time."""

from collections.abc import Callable
from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from regproxy.model.fetch import Announced
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.waybill import Waybill
from regproxy.repo.parking import Parking
from regproxy.store.memory import MemoryStore

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
