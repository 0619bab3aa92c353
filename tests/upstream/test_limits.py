"""Connection slots."""

import pytest
from twisted.internet.defer import CancelledError, Deferred

from regproxy.upstream.limits import CONNECTIONS, Slot, Slots


def take(slots: Slots) -> Deferred[Slot]:
    """Ask for a slot."""
    return Deferred.fromCoroutine(slots.take())


def test_released_once() -> None:
    """However often a slot is given back, it is one slot."""
    slots = Slots.of(1)
    first = take(slots).result
    waiting = [take(slots), take(slots)]
    assert isinstance(first, Slot)
    first.release()
    first.release()
    assert ([each.called for each in waiting], slots.used) == ([True, False], 1)


def test_cancelled_waiter() -> None:
    """Who gives up leaves the queue."""
    slots = Slots.of(1)
    first = take(slots).result
    leaving, staying = take(slots), take(slots)
    leaving.cancel()
    leaving.addErrback(lambda failure: failure.trap(CancelledError))
    assert isinstance(first, Slot)
    first.release()
    assert (staying.called, slots.used) == (True, 1)


@pytest.mark.parametrize(("setting", "count"), [(None, CONNECTIONS), (3, 3), (0, 1)])
def test_count(setting: int | None, count: int) -> None:
    """The default, what is set, and one at least."""
    slots = Slots.of(setting)
    assert sum(take(slots).called for _ in range(100)) == count


def test_processes_share() -> None:
    """Each of several processes has its part, and one connection at least."""
    slots = Slots.of(5, 2)
    assert [take(slots).called for _ in range(3)] == [True, True, False]
    assert [take(Slots.of(1, 4)).called for _ in range(2)] == [True, True]
