"""Flights: one fill of one path, joined by everybody who asks while it lasts.

A flight is launched by the first who asks and belongs to none of them: clients come and go, the launch goes on. It has two
events: *announced*, once what upstream answers is known, and *landed*, once the launch has ended and whatever it stored can
be seen. Between the two its blob, if there is one, may be followed from any offset. It is in the table from ``join`` until
it has landed, so there is no moment in which a second fetch could begin, unless its body is not kept (``close``).

The key is (repository, path), never a digest: a fill is joined by those who may see it there.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.observer import OneShot
from regproxy.stream.places import Places
from regproxy.stream.spawn import spawn

R = TypeVar("R")

Key = tuple[str, str]


@frozen
class Airborne:
    """A body is on its way: what its responses say, and the blob that grows. ``hold`` it before following."""

    head: Head
    blob: GrowingBlob


@define(eq=False)
class Flight(Generic[R]):
    """One fill. ``R`` is what a flight without a body ends in.

    Attributes:
        leave: stops it where it is, what it has being kept if it can be continued; None while there is no body.
        is_left: it was, and whoever wants the body may go on with it.
        is_elsewhere: another process brings the body.
        is_awaited: clients wait in the middle of the body, which another process began to bring.
        digest: what the body was to be when it was launched.
    """

    key: Key
    began: float
    size: int | None = field(default=None, init=False)
    body: Airborne | None = field(default=None, init=False)
    leave: Callable[[], None] | None = field(default=None, init=False)
    is_closed: bool = field(default=False, init=False)
    is_left: bool = field(default=False, init=False)
    is_elsewhere: bool = field(default=False, init=False)
    is_awaited: bool = False
    digest: Digest | None = field(default=None, init=False)
    _spooled: OneShot[str] = field(factory=OneShot, init=False)
    _announced: "OneShot[Airborne | R | None]" = field(factory=OneShot, init=False)
    _landed: OneShot[None] = field(factory=OneShot, init=False)

    def spool(self, name: str) -> None:
        """Say which file of the store's the body is written to. Before it is announced."""
        self._spooled.fire(name)

    @property
    def is_spooled(self) -> bool:
        """Whether there is such a file."""
        return self._spooled.fired

    def spooled(self) -> Deferred[str]:
        """A fresh Deferred of its name; it may never fire."""
        return self._spooled.when()

    def announce(self, outcome: "Airborne | R | None") -> None:
        """Say what upstream answered: a body, something else, or None: it is stored, look it up."""
        if isinstance(outcome, Airborne):
            self.body = outcome
        self._announced.fire(outcome)

    def close(self) -> None:
        """Let nobody join any more: its body is not kept, and the beginning has gone by. Whoever comes now begins another."""
        self.is_closed = True

    @property
    def is_announced(self) -> bool:
        """Whether ``announce`` was called."""
        return self._announced.fired

    def announced(self) -> "Deferred[Airborne | R | None]":
        """A fresh Deferred of what was announced; fails if the launch failed before."""
        return self._announced.when()

    def landed(self) -> Deferred[None]:
        """A fresh Deferred that fires when the flight has left the table, well or not."""
        return self._landed.when()

    def end(self, failure: Failure | None) -> None:
        """The launch has ended; only ``Flights`` calls this."""
        if not self._announced.fired:
            if failure is None:
                self._announced.fire(None)
            else:
                self._announced.fail(failure)
        self._landed.fire(None)


Launch = Callable[["Flight[R]"], Coroutine[Any, Any, None]]


@define(eq=False)
class Flights(Generic[R]):
    """The flights that are in the air; ``places`` are what they share with those of other tables."""

    _clock: IReactorTime
    places: Places = field(factory=Places)
    _table: "dict[Key, Flight[R]]" = field(factory=dict, init=False)
    _closed: "dict[Flight[R], None]" = field(factory=dict, init=False)

    def get(self, key: Key) -> "Flight[R] | None":
        """The flight for a key, if one is in the air and may be joined."""
        flight = self._table.get(key)
        return None if flight is None or flight.is_closed else flight

    def join(self, key: Key, launch: "Launch[R]") -> "tuple[Flight[R], bool]":
        """Join the flight for a key, launching it if there is none; the flag says that it was there already."""
        flight = self._table.get(key)
        if flight is not None and not flight.is_closed:
            return flight, True
        if flight is not None:
            self._closed[flight] = None
        flight = self._table[key] = Flight(key, self._clock.seconds())
        self.places.taken += 1
        spawn(self._fly(flight, launch), f"filling {key[0]}:{key[1]}")
        return flight, False

    async def _fly(self, flight: "Flight[R]", launch: "Launch[R]") -> None:
        failure = None
        try:
            await launch(flight)
        except Exception:
            failure = Failure()
            # Whoever waits for the announcement gets it; without one it would be lost.
            if flight.is_announced:
                raise
        finally:
            if flight in self._closed:
                del self._closed[flight]
            else:
                del self._table[flight.key]
            self.places.taken -= 1
            flight.end(failure)

    def __iter__(self) -> "Iterator[Flight[R]]":
        return iter([*self._closed, *self._table.values()])

    def __len__(self) -> int:
        return len(self._table) + len(self._closed)
