"""What followers send in one turn of the event loop, all of them together."""

from twisted.internet.task import Clock

from regproxy.stream.turns import LEAST, TURN, Turns

BURST = 1 << 20


def shares(turns: Turns, clock: Clock, count: int) -> list[int]:
    """What so many followers get in one turn."""
    granted = [turns.share(BURST) for _ in range(count)]
    clock.advance(0)
    return granted


def test_a_few_get_what_they_want() -> None:
    """As many as a turn has room for."""
    clock = Clock()
    turns = Turns(clock)
    for _ in range(3):
        assert shares(turns, clock, 8) == [BURST] * 8


def test_the_first_has_all_of_a_turn() -> None:
    """And the second, which comes in the same one, half."""
    turns = Turns(Clock())
    assert [turns.share(2 * TURN) for _ in range(2)] == [TURN, TURN // 2]


def test_many_share_alike() -> None:
    """From the second turn on, and together no more than a turn's worth."""
    clock = Clock()
    turns = Turns(clock)
    shares(turns, clock, 64)
    assert shares(turns, clock, 64) == [TURN // 64] * 64


def test_a_crowd_that_comes_at_once() -> None:
    """Even its first turn is bounded: each gets less than the one before."""
    clock = Clock()
    assert sum(shares(Turns(clock), clock, 100)) < 4 * TURN


def test_nobody_gets_nothing() -> None:
    """However many there are."""
    clock = Clock()
    turns = Turns(clock)
    shares(turns, clock, 10_000)
    assert shares(turns, clock, 10_000) == [LEAST] * 10_000


def test_they_are_alone_again() -> None:
    """The others have left: the next turn but one is the follower's own."""
    clock = Clock()
    turns = Turns(clock)
    shares(turns, clock, 64)
    shares(turns, clock, 1)
    assert shares(turns, clock, 1) == [BURST]
