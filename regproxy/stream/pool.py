"""The writer pool: threads for what blocks in the data plane, hashing and disk, and for nothing else.

Not the reactor's pool: that one also resolves names, and slow disks would stop DNS. A plain queue and plain threads, because
this is crossed a few thousand times for every gigabyte.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, stack_size
from typing import Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class Pool(Protocol):
    """What runs jobs elsewhere than in the reactor."""

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Run a callable; the Deferred fires in the reactor."""


@define(eq=False)
class _Job(Generic[T]):
    work: Callable[[], T]
    done: Deferred[T]

    def run(self, reactor: IReactorFromThreads) -> None:
        try:
            result = self.work()
        except BaseException:  # noqa: BLE001 - it belongs to whoever waits for the job
            reactor.callFromThread(self._settle, Failure())
        else:
            reactor.callFromThread(self._settle, result)

    def _settle(self, outcome: "T | Failure") -> None:
        if not self.done.called:  # unless nobody waits any more: it was cancelled
            self.done.callback(outcome)


@define(eq=False)
class WriterPool:
    """A fixed number of threads; jobs of one fill never overlap because a fill has one at a time.

    ``stack``: bytes of address space for each thread; 0 is what the platform gives. All of it is taken at the start, so
    that no job fails later because there is none for its thread.
    """

    _reactor: IReactorFromThreads
    _size: int
    _stack: int = 0
    _queue: "SimpleQueue[_Job[object] | None]" = field(factory=SimpleQueue, init=False)
    _threads: list[Thread] = field(factory=list, init=False)

    def start(self) -> None:
        """Start the threads."""
        before = stack_size(self._stack)
        try:
            for number in range(self._size):
                thread = Thread(target=self._serve, name=f"writer-{number}", daemon=True)
                thread.start()
                self._threads.append(thread)
        finally:
            stack_size(before)

    def stop(self) -> None:
        """Let queued jobs finish and join the threads. Blocks; results that arrive later than the reactor's end are lost."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Run a callable in a thread; the Deferred fires in the reactor. Cancelling it stops the waiting, not the work."""
        done: Deferred[T] = Deferred()
        self._queue.put(_Job(work, done))  # type: ignore[arg-type] # a queue of jobs of any result
        return done

    def _serve(self) -> None:
        while (job := self._queue.get()) is not None:
            job.run(self._reactor)
