"""A clock that other threads may call into: a reactor without an event loop, for tests that wait for one thing at a time."""

from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from regproxy.index.interface import Index

PATIENCE = 30.0

T = TypeVar("T")


class ThreadedClock(Clock):
    """What ``callFromThread`` is given runs when somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def callFromThread(self, function: Callable[..., object], *args: Any) -> None:  # noqa: N802 - Twisted's name
        """Queue a call; safe in any thread."""
        self._calls.put(partial(function, *args))

    def turn(self) -> None:
        """Run the next call, waiting for it if there is none."""
        self._calls.get(timeout=PATIENCE)()

    def wait(self, deferred: Deferred[T]) -> T:
        """Run calls until the Deferred has fired; returns its value or raises its failure."""
        results: list[T | Failure] = []
        deferred.addBoth(results.append)
        while not results:
            self.turn()
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]


@define
class Subject:
    """An index that was started, and the clock that it runs on."""

    index: Index
    clock: ThreadedClock

    def wait(self, deferred: Deferred[T]) -> T:
        """Let a change happen."""
        return self.clock.wait(deferred)

    def catch_up(self) -> None:
        """Let what is counted in memory be written."""
        self.clock.advance(10)
        self.wait(self.index.remember("caught", "up"))
