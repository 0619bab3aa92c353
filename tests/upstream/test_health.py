"""When an upstream is left alone, and when it is tried again."""

import pytest
from twisted.internet.task import Clock

from regproxy.upstream.health import Health


def make(fixed: float | None = None) -> tuple[Clock, Health]:
    """Without jitter."""
    clock = Clock()
    return clock, Health(clock, fixed, lambda: 1.0)


def fail(clock: Clock, health: Health) -> None:
    """One request that did not get through."""
    assert health.enter()
    clock.advance(0.001)
    health.failed(clock.seconds() - 0.001)


def test_growing() -> None:
    """Thirty seconds at first, twice as long each time, five minutes at most."""
    clock, health = make()
    periods = []
    for _ in range(6):
        fail(clock, health)
        periods.append(round(health.remaining))
        clock.advance(health.remaining)
    assert periods == [30, 60, 120, 240, 300, 300]


def test_one_probe() -> None:
    """When the time is up one request goes, and the others wait for what it finds out."""
    clock, health = make()
    fail(clock, health)
    assert not health.enter()
    clock.advance(30)
    assert [health.enter(), health.enter(), health.closed] == [True, False, True]
    health.answered()
    assert [health.enter(), health.closed] == [True, False]


def test_a_probe_that_tells_nothing() -> None:
    """A cancelled probe makes room for the next."""
    clock, health = make()
    fail(clock, health)
    clock.advance(30)
    assert health.enter()
    health.unknown()
    assert health.enter()


def test_success_resets() -> None:
    """After an answer the first period is short again."""
    clock, health = make()
    for _ in range(3):
        fail(clock, health)
        clock.advance(health.remaining)
    assert health.enter()
    health.answered()
    clock.advance(1)
    fail(clock, health)
    assert round(health.remaining) == 30


@pytest.mark.parametrize(("fixed", "remaining"), [(0, 0), (7, 7)])
def test_fixed(fixed: float, remaining: float) -> None:
    """What the operator set is obeyed; 0 is never."""
    clock, health = make(fixed)
    for _ in range(3):
        fail(clock, health)
        assert health.remaining == remaining
        clock.advance(remaining)


def test_many_at_once_are_one_outage() -> None:
    """Requests that fail together count once."""
    clock, health = make()
    assert all(health.enter() for _ in range(10))
    clock.advance(1)
    for _ in range(10):
        health.failed(0)
    assert health.remaining == 30


def test_answers_meanwhile() -> None:
    """One slow answer is no outage while others are answered."""
    clock, health = make()
    health.enter()
    clock.advance(5)
    health.enter()
    health.answered()
    clock.advance(5)
    health.failed(0)
    assert not health.closed


def test_jitter() -> None:
    """Without a fixed period, restarts of many are spread a little."""
    clock = Clock()
    clock.advance(1)
    seen = set()
    for _ in range(20):
        health = Health(clock)
        health.failed(0)
        seen.add(health.remaining)
    assert len(seen) > 1
    assert all(27 <= each <= 33 for each in seen)
