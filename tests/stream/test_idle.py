"""A timer that watches for progress, by a clock."""

from twisted.internet.task import Clock

from regproxy.stream.idle import IdleWatch


def watched(floor: int = 1) -> tuple[Clock, IdleWatch, list[float]]:
    """A watch of ten seconds that has begun; when it expired."""
    clock, expired = Clock(), list[float]()
    watch = IdleWatch(clock, 10.0, lambda: expired.append(clock.seconds()), floor)
    watch.start()
    return clock, watch, expired


def test_nothing_goes_on() -> None:
    """It says so once, after its time."""
    clock, _, expired = watched()
    clock.pump([9.0, 0.5])
    assert expired == []
    clock.pump([0.5, 30.0])
    assert (expired, clock.getDelayedCalls()) == ([10.0], [])


def test_a_byte_is_progress() -> None:
    """Unless more is asked for."""
    clock, expired = Clock(), list[float]()
    watch = IdleWatch(clock, 10.0, lambda: expired.append(clock.seconds()))
    watch.start()
    watch.note(1)
    clock.advance(10)
    assert expired == []
    clock.advance(10)
    assert expired == [20.0]


def test_each_period_has_to_bring_enough() -> None:
    """What a floor asks for, to the unit; what came in the period before does not count."""
    clock, watch, expired = watched(floor=100)
    watch.note(60)
    watch.note(40)
    clock.advance(10)
    assert expired == []
    watch.note(99)
    clock.advance(10)
    assert expired == [20.0]


def test_it_can_be_stopped_and_begun_again() -> None:
    """No timer is left; starting twice makes no second one; a start forgets what was noted."""
    clock, watch, expired = watched()
    watch.note(5)
    watch.start()
    assert len(clock.getDelayedCalls()) == 1
    watch.stop()
    watch.stop()
    assert clock.getDelayedCalls() == []
    watch.start()
    clock.advance(10)
    assert expired == [10.0]
