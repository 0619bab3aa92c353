"""Lag is how late the clock's own timers are."""

from twisted.internet.task import Clock

from regproxy.telemetry.lag import PERIOD, Lag


def test_punctual() -> None:
    """No lag, also before the first look."""
    clock = Clock()
    lag = Lag(clock)
    lag.start()
    assert lag.seconds() == 0.0
    clock.pump([PERIOD] * 4)
    assert lag.seconds() == 0.0


def test_the_worst_is_kept_for_sixty_looks() -> None:
    """And then forgotten."""
    clock = Clock()
    lag = Lag(clock)
    lag.start()
    clock.advance(PERIOD + 0.25)
    assert lag.seconds() == 0.25
    clock.pump([PERIOD] * 59)
    assert lag.seconds() == 0.25
    clock.advance(PERIOD)
    assert lag.seconds() == 0.0
