"""A flight is launched once, and everybody who joins learns the same."""

import os
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.model.head import Head
from regproxy.stream.flight import Airborne, Flight, Flights
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.places import Places
from tests.fakes.logged import Log


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


def test_each_takes_a_place_until_it_has_landed() -> None:
    """Joining takes none; a launch that fails gives it back, too."""
    refused: list[int] = []
    places = Places(2, lambda: refused.append(1))
    flights, pads = Flights[str](Clock(), places), {name: Launchpad() for name in "ab"}
    for name in "aab":
        assert not places.refuses()
        flight, _ = flights.join(("r", name), pads[name])
        flight.announced().addErrback(lambda _: None)
    assert (places.taken, places.refuses(), refused) == (2, True, [1])
    pads["a"].go.callback(None)
    pads["b"].go.errback(ValueError("down"))
    assert (places.taken, places.refuses(), refused) == (0, False, [1])


def test_a_closed_one_is_not_joined() -> None:
    """Whoever comes begins another; both are there until each has landed."""
    flights, old, new = Flights[str](Clock()), Launchpad(), Launchpad()
    first, _ = flights.join(("r", "p"), old)
    first.close()
    assert flights.get(("r", "p")) is None
    second, joined = flights.join(("r", "p"), new)
    assert (joined, list(flights), len(flights)) == (False, [first, second], 2)
    old.go.callback(None)
    assert (flights.get(("r", "p")), list(flights)) == (second, [second])
    new.go.callback(None)
    assert (flights.places.taken, len(flights)) == (0, 0)


def test_when_it_began() -> None:
    """By the clock of the table."""
    clock = Clock()
    clock.advance(7)
    assert Flights[str](clock).join(("r", "p"), Launchpad())[0].began == 7


def test_its_file() -> None:
    """Whoever waits for its name is told once there is one, and so is who asks later."""
    flight: Flight[str] = Flight(("r", "p"), 0.0)
    early = results(flight.spooled())
    assert (flight.is_spooled, early) == (False, [])
    flight.spool("name")
    assert (flight.is_spooled, early, results(flight.spooled())) == (True, ["name"], ["name"])


def test_a_failure_is_logged_if_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the announcement it would be lost; before it, it is told, and not twice."""
    log = Log()
    monkeypatch.setattr("regproxy.stream.spawn.log", log)
    flights, late, early = Flights[str](Clock()), Launchpad(), Launchpad()
    late.announce = "x"
    flight, _ = flights.join(("r", "late"), late)
    flights.join(("r", "early"), early)[0].announced().addErrback(lambda _: None)
    for name, pad in (("late", late), ("early", early)):
        pad.go.errback(ValueError(name))
    assert log.said == [("filling r:late", "late")]
    assert (results(flight.announced()), results(flight.landed())) == (["x"], [None])


def test_a_launch_that_fails_tells_its_waiters() -> None:
    """A failure before the announcement reaches everybody as what it is."""
    flights: Flights[str] = Flights(Clock())
    pad = Launchpad()
    flight, _ = flights.join(("r", "p"), pad)
    got = results(flight.announced(), flight.announced())
    pad.go.errback(ValueError("down"))
    assert [type(failure.value) for failure in got] == [ValueError, ValueError]
    assert len(flights) == 0


def test_a_body_can_be_followed_and_nothing_else() -> None:
    """What is announced is the body if it is one."""
    fd = os.memfd_create("blob")
    body = Airborne(Head(3), GrowingBlob.over(fd, 3, withheld=False))
    flights = {what: Flight[str](("r", "p"), 0.0) for what in (body, "missing", None)}
    for what, flight in flights.items():
        assert not flight.is_announced
        flight.announce(what)
        assert flight.is_announced
    assert [flight.body for flight in flights.values()] == [body, None, None]
    body.blob.release()
    os.close(fd)


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
