"""Bodies whose length nobody knows: room is made for them as they grow."""

import errno
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.stream.pool import Pool

T = TypeVar("T")


@define(eq=False)
class Ahead:
    """A ``Pool`` for the writes of one body: where little is left, room is made before a write is done.

    What is left is looked at in the thread that writes, right before it does: others write too. Room that is not made in time is
    waited for once.
    """

    _pool: Pool
    _is_short: Callable[[], bool]
    _make: Callable[[], Awaitable[object]]
    _refuses: Callable[[], bool]
    _is_late: bool = field(default=False, init=False)

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Run a job; ``OSError`` (ENOSPC) in its place if there is no room for it all the same."""
        return Deferred.fromCoroutine(self._run(work))

    async def _run(self, work: Callable[[], T]) -> T:
        done = await self._pool.run(lambda: [] if self._is_short() else [work()])
        if done:
            return done[0]
        if not self._is_late:
            try:
                await self._make()
            except TimeoutError:
                self._is_late = True
        return await self._pool.run(lambda: self._at_last(work))

    def _at_last(self, work: Callable[[], T]) -> T:
        if self._refuses():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return work()
