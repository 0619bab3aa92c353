"""A flight is launched once, and everybody who joins learns the same."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.stream.flight import Flight, Flights


class Launchpad:
    """Launches that the test lets go on."""

    def __init__(self) -> None:
        self.launched = 0
        self.go: Deferred[None] = Deferred()
        self.announce: Any = None

    async def __call__(self, flight: Flight[str]) -> None:
        """Launch."""
        self.launched += 1
        if self.announce is not None:
            flight.announce(self.announce)
        await self.go


def results(*deferreds: "Deferred[Any]") -> list[Any]:
    """Collect what has fired."""
    found: list[Any] = []
    for deferred in deferreds:
        deferred.addBoth(found.append)
    return found


def test_one_launch_for_all() -> None:
    """Joining does not launch again."""
    flights: Flights[str] = Flights(Clock())
    pad = Launchpad()
    first, joined = flights.join(("r", "p"), pad)
    second, also = flights.join(("r", "p"), pad)
    assert (first is second, joined, also, pad.launched) == (True, False, True, 1)


def test_every_waiter_gets_the_announcement() -> None:
    """Each waiter has a Deferred of its own; cancelling one concerns nobody else."""
    flights: Flights[str] = Flights(Clock())
    pad = Launchpad()
    flight, _ = flights.join(("r", "p"), pad)
    first, second, third = flight.announced(), flight.announced(), flight.announced()
    second.addErrback(lambda _: None)
    second.cancel()
    got = results(first, third)
    flight.announce("missing")
    assert got == ["missing", "missing"]
    assert results(flight.announced()) == ["missing"]


def test_it_is_in_the_table_until_it_has_landed() -> None:
    """There is no moment in which a second launch could begin."""
    flights: Flights[str] = Flights(Clock())
    pad = Launchpad()
    flight, _ = flights.join(("r", "p"), pad)
    flight.announce("x")
    landed = results(flight.landed())
    assert flights.get(("r", "p")) is flight
    pad.go.callback(None)
    assert (flights.get(("r", "p")), landed, len(flights)) == (None, [None], 0)


def test_a_launch_that_fails_tells_its_waiters() -> None:
    """A failure before the announcement reaches everybody as what it is."""
    flights: Flights[str] = Flights(Clock())
    pad = Launchpad()
    flight, _ = flights.join(("r", "p"), pad)
    got = results(flight.announced(), flight.announced())
    pad.go.errback(ValueError("down"))
    assert [type(failure.value) for failure in got] == [ValueError, ValueError]
    assert len(flights) == 0


def test_a_launch_without_an_announcement_means_look_it_up() -> None:
    """A launch that ends well without a word has stored something."""
    flights: Flights[str] = Flights(Clock())
    pad = Launchpad()
    flight, _ = flights.join(("r", "p"), pad)
    got = results(flight.announced())
    pad.go.callback(None)
    assert got == [None]


def test_announcing_twice_is_a_mistake() -> None:
    """The head is fixed by the first announcement."""
    flight: Flight[str] = Flight(("r", "p"), 0.0)
    flight.announce("x")
    with pytest.raises(RuntimeError):
        flight.announce("y")
