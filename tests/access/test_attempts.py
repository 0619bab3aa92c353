"""Guessing takes time."""

from twisted.internet.task import Clock

from regproxy.access.attempts import (
    FIRST_SECONDS,
    FORGOTTEN_SECONDS,
    FREE,
    FREE_BY_ADDRESS,
    LONGEST_SECONDS,
    REMEMBERED,
    Attempts,
)

HERE, THERE = "192.0.2.1", "192.0.2.2"


def wrong(attempts: Attempts, times: int, address: str = HERE, user: str = "ann") -> None:
    """So many guesses."""
    for _ in range(times):
        attempts.failed(address, user)


def test_a_user_at_an_address() -> None:
    """After a few he waits; others there, and he elsewhere, do not."""
    clock = Clock()
    attempts = Attempts(clock)
    wrong(attempts, FREE - 1)
    assert attempts.wait(HERE, "ann") == 0
    wrong(attempts, 1)
    assert attempts.wait(HERE, "ann") == int(FIRST_SECONDS) + 1
    assert (0, 0) == (attempts.wait(HERE, "bob"), attempts.wait(THERE, "ann"))
    clock.advance(FIRST_SECONDS)
    assert attempts.wait(HERE, "ann") == 0


def test_the_longer_the_more_often() -> None:
    """Twice as long each time, up to a quarter of an hour."""
    clock = Clock()
    attempts = Attempts(clock)
    waits = []
    wrong(attempts, FREE - 1)
    for _ in range(12):
        wrong(attempts, 1)
        waits.append(attempts.wait(HERE, "ann") - 1)
        clock.advance(waits[-1])
    assert [10, 20, 40, 80, 160, 320, 640, 900] == waits[:8]
    assert int(LONGEST_SECONDS) == waits[-1]


def test_an_address() -> None:
    """One that tries many users waits for all of them."""
    attempts = Attempts(Clock())
    for number in range(FREE_BY_ADDRESS):
        attempts.failed(HERE, f"user{number}")
    assert attempts.wait(HERE, "ann") > 0
    assert attempts.wait(THERE, "ann") == 0


def test_tokens_that_are_nobodys() -> None:
    """They count for their address alone; behind a proxy that hides its clients, for nobody."""
    attempts = Attempts(Clock())
    wrong(attempts, FREE_BY_ADDRESS, user="")
    wrong(attempts, FREE_BY_ADDRESS, "", "")
    assert attempts.wait(HERE, "") > 0
    assert attempts.wait("", "") == 0


def test_behind_a_proxy() -> None:
    """Where nobody's address is known a user's own count is left."""
    attempts = Attempts(Clock())
    wrong(attempts, FREE, "")
    assert attempts.wait("", "ann") > 0
    assert attempts.wait("", "bob") == 0


def test_being_right_forgives() -> None:
    """What this user got wrong; not what his address did to others."""
    attempts = Attempts(Clock())
    wrong(attempts, FREE - 1)
    attempts.succeeded(HERE, "ann")
    wrong(attempts, FREE - 1)
    assert attempts.wait(HERE, "ann") == 0
    wrong(attempts, FREE_BY_ADDRESS, user="bob")
    attempts.succeeded(HERE, "ann")
    assert attempts.wait(HERE, "ann") > 0


def test_time_forgives() -> None:
    """Half an hour without a failure."""
    clock = Clock()
    attempts = Attempts(clock)
    wrong(attempts, FREE - 1)
    clock.advance(FORGOTTEN_SECONDS)
    wrong(attempts, 1)
    assert attempts.wait(HERE, "ann") == 0


def test_memory_is_bounded() -> None:
    """Those who failed last are remembered."""
    attempts = Attempts(Clock())
    wrong(attempts, FREE)
    for number in range(REMEMBERED):
        attempts.failed("", f"user{number}")
    assert attempts.wait(HERE, "ann") == 0
    assert len(attempts._failures) == REMEMBERED
