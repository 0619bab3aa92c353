"""One event, and everybody who waits for it."""

import pytest
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from regproxy.stream.observer import OneShot


def waiting(event: OneShot[str]) -> list[object]:
    """Somebody who waits: empty until he is told."""
    got: list[object] = []
    event.when().addCallbacks(got.append, lambda failure: got.append(failure.type))
    return got


@pytest.mark.parametrize("fails", [True, False])
def test_everybody_is_told_once(*, fails: bool) -> None:
    """Before and afterwards, each by a Deferred of its own; it cannot happen twice."""
    event: OneShot[str] = OneShot()
    before = [waiting(event), waiting(event)]
    assert (event.fired, before) == (False, [[], []])
    if fails:
        event.fail(Failure(ValueError("no")))
    else:
        event.fire("yes")
    told: list[object] = [ValueError if fails else "yes"]
    assert (event.fired, [*before, waiting(event)]) == (True, [told, told, told])
    with pytest.raises(RuntimeError):
        event.fire("again")
    with pytest.raises(RuntimeError):
        event.fail(Failure(ValueError("again")))
    assert before == [told, told]


def test_nothing_is_a_value_too() -> None:
    """What has happened with None has happened."""
    event: OneShot[None] = OneShot()
    event.fire(None)
    assert event.fired
    assert event.when().called


def test_who_waits_no_longer() -> None:
    """Concerns nobody else, and is told nothing more."""
    event: OneShot[str] = OneShot()
    gone, got = event.when(), waiting(event)
    why: list[object] = []
    gone.addErrback(lambda failure: why.append(failure.type))
    gone.cancel()
    event.fire("yes")
    assert (why, got) == ([CancelledError], ["yes"])
