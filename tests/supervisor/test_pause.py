"""How long the supervisor waits before it starts a worker again."""

from regproxy.supervisor.team import FIRST_PAUSE, LONGEST_PAUSE, STEADY_SECONDS, Pause


def test_the_first_death_is_no_pattern() -> None:
    """A worker that served for a while is replaced at once, and so is the first that did not."""
    pause = Pause()
    assert [pause.after(STEADY_SECONDS), pause.after(STEADY_SECONDS), pause.after(0.1)] == [0.0, 0.0, 0.0]


def test_deaths_in_a_row_take_longer_and_longer() -> None:
    """Twice as long each time, up to a limit; a worker that held on begins anew."""
    pause = Pause()
    pauses = [pause.after(0.1) for _ in range(12)]
    assert pauses[:4] == [0.0, FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    assert [pause.after(STEADY_SECONDS), pause.after(0.1), pause.after(0.1)] == [0.0, 0.0, FIRST_PAUSE]
