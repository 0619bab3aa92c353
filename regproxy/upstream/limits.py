"""How many connections of one upstream may be in use at a time; who comes later waits for his turn."""

from collections.abc import Callable
from typing import Self

from attrs import define, field
from twisted.internet.defer import DeferredSemaphore

CONNECTIONS = 64


@define(eq=False)
class Slot:
    """The right to one connection, to be given back by ``release``; a second ``release`` does nothing."""

    _give_back: Callable[[], None] | None

    def release(self) -> None:
        """Let the next one go on."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


@define(eq=False)
class Slots:
    """A fair queue for connections."""

    _semaphore: DeferredSemaphore = field()
    _used: int = field(default=0, init=False)

    @classmethod
    def of(cls, count: int | None, processes: int = 1) -> Self:
        """Allow ``count``, our default for None, or this process's part of them; each process may have one."""
        allowed = CONNECTIONS if count is None else count
        return cls(DeferredSemaphore(max(1, allowed // processes)))

    @property
    def used(self) -> int:
        """Slots that are taken."""
        return self._used

    async def take(self) -> Slot:
        """Wait for a slot; cancelling leaves the queue."""
        await self._semaphore.acquire()
        self._used += 1
        return Slot(self._release)

    def _release(self) -> None:
        self._used -= 1
        self._semaphore.release()
