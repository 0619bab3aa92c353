"""What was computed from a document, kept while there is room: a page is parsed and rendered once, for however many clients.

Least recently used results leave first. Whoever asks for what is being made waits for it; the work goes on when the first one
who asked has left.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from regproxy.stream.observer import OneShot

T = TypeVar("T")


@define(eq=False)
class Memo(Generic[T]):
    """Results by key, ``limit`` bytes of them; ``weigh`` says the bytes of one."""

    _limit: int
    _weigh: Callable[[T], int]
    _held: "OrderedDict[Hashable, T]" = field(factory=OrderedDict, init=False)
    _making: "dict[Hashable, OneShot[T]]" = field(factory=dict, init=False)
    _weight: int = field(default=0, init=False)

    async def get(self, key: Hashable, make: "Callable[[], Coroutine[Any, Any, T]]") -> T:
        """The result for a key; ``make`` runs, detached, if there is none yet. What it raises is raised here, and not kept."""
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
            return held
        shot = self._making.get(key)
        if shot is None:
            shot = self._making[key] = OneShot()
            self._start(key, shot, make)
        return await shot.when()

    def _start(self, key: Hashable, shot: OneShot[T], make: "Callable[[], Coroutine[Any, Any, T]]") -> None:
        def made(result: T) -> None:
            del self._making[key]
            self._keep(key, result)
            shot.fire(result)

        def failed(failure: Failure) -> None:
            del self._making[key]
            shot.fail(failure)

        Deferred.fromCoroutine(make()).addCallbacks(made, failed)

    def _keep(self, key: Hashable, result: T) -> None:
        self._held[key] = result
        self._weight += self._weigh(result)
        while self._weight > self._limit:
            _, oldest = self._held.popitem(last=False)
            self._weight -= self._weigh(oldest)
