"""The lane of one fill: runs the jobs of its ingest, on the writer pool, or, when the disk fails or stalls, past it.

A job hashes some bytes and then writes them by the fill's ``EnduringWriter``. Once that has a window, jobs run on a pool that
no disk can block, and only while the window has room. A job that has not come back after ``STALL`` seconds is taken
over: its bytes, which are hashed, are put into the window, and whatever the disk does to the stuck thread later is ignored.
Of bytes that are scattered (``enduring``) it fails.
"""

import errno
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from regproxy.stream.checkpoints import Checkpoints
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.hashing import Hashes, PrefixHashes
from regproxy.stream.observer import OneShot
from regproxy.stream.pool import Pool
from regproxy.stream.window import Window

T = TypeVar("T")

STALL = 10.0


def stalled() -> TimeoutError:
    """A disk has not answered in time."""
    return TimeoutError(errno.ETIMEDOUT, "the disk does not answer")


def in_time(
    clock: IReactorTime,
    deferred: "Deferred[T]",
    late: Callable[[T], object] | None = None,
    *,
    seconds: float = STALL,
    progress: Callable[[], int] = lambda: 0,
) -> "Deferred[T]":
    """Fail with ``TimeoutError`` if a job of a pool takes too long; ``late`` gets what it brings later, else it is dropped.

    ``progress``: a number that changes as long as the job gets on; then it may take longer.
    """
    outcome: OneShot[T] = OneShot()

    timer: IDelayedCall

    def expire(seen: int) -> None:
        nonlocal timer
        now = progress()
        if now == seen:
            outcome.fail(Failure(stalled()))
        else:
            timer = clock.callLater(seconds, expire, now)

    timer = clock.callLater(seconds, expire, progress())

    def came(result: T | Failure) -> None:
        if not timer.active():
            if late is not None and not isinstance(result, Failure):
                late(result)
            return
        timer.cancel()
        if isinstance(result, Failure):
            outcome.fail(result)
        else:
            outcome.fire(result)

    deferred.addBoth(came)
    return outcome.when()


@frozen(eq=False)
class Timely:
    """A pool whose jobs are not waited for longer than a disk may take."""

    _pool: Pool
    _clock: IReactorTime

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """As the pool, or ``TimeoutError``."""
        return in_time(self._clock, self._pool.run(work))


@define(eq=False)
class _Attempt:
    """One job on a thread that may get stuck."""

    work: Callable[[], None]
    _lock: Lock = field(factory=Lock, init=False)
    taken: bool = field(default=False, init=False)
    started: bool = field(default=False, init=False)

    def run(self) -> None:
        """Do it, if nobody else has."""
        with self._lock:
            if self.taken:
                return
            self.started = True
        self.work()

    def take(self) -> bool:
        """Take it over; False if it runs already."""
        with self._lock:
            self.taken = True
            return not self.started


@define(eq=False)
class Lane:
    """A ``Pool`` to the ingest."""

    writer: EnduringWriter
    _disk: Pool
    _rescue: Pool
    _clock: IReactorTime
    _hashes: PrefixHashes
    checkpoints: Checkpoints = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._disk = self.writer.ahead(self._disk)
        window = self.writer.window
        self.checkpoints = Checkpoints(window.start if window else 0, self._hashes.hashes.copy())

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Run a job; they come one at a time, as long as the bytes come in order."""
        return Deferred.fromCoroutine(self._run(work))  # type: ignore[arg-type] # jobs bring nothing

    async def _run(self, work: Callable[[], None]) -> None:
        window = self.writer.window
        if window is not None:
            await self._through(window, work)
            return
        before = self._hashes.hashes.copy() if self.writer.in_order else None
        attempt = _Attempt(work)
        done: OneShot[None] = OneShot()
        self._disk.run(attempt.run).addCallbacks(done.fire, done.fail)
        while True:
            try:
                await in_time(self._clock, done.when())
            except TimeoutError as error:
                late = error
                if not self.writer.in_order:
                    attempt.take()
                    raise
                if not await self._rescue.run(lambda: self._taken_over(attempt, late)):  # noqa: B023 - awaited here
                    continue
            if self.writer.window is not None and before is not None:
                self._note(self.writer.window, before)
            return

    def _taken_over(self, attempt: _Attempt, error: OSError) -> bool:
        if attempt.take():
            self.writer.give_up_disk(error)
            if self.writer.window is None:
                raise error
            attempt.work()
            return True
        return self.writer.give_up_disk(error)

    async def _through(self, window: Window, work: Callable[[], None]) -> None:
        await window.room()
        behind = window.trim()

        def job() -> None:
            if behind is not None:
                window.punch(behind)
            work()

        await self._rescue.run(job)
        self.checkpoints.add(window.head, self._hashes.hashes)

    def _note(self, window: Window, before: Hashes) -> None:
        """The first job that went into a window: where it began, and where it ended."""
        self.checkpoints.add(self.writer.turned_at, before)
        self.checkpoints.add(window.head, self._hashes.hashes)
