"""How many connections: more while that pays, fewer when it does not."""

from regproxy.repo.pace import AGAIN_SECONDS, Pace


def let(pace: Pace, seconds: float, rate: float, now: float = 0.0, total: float = 0.0) -> tuple[float, float]:
    """Bytes come at a rate for each connection, of which all are active, in steps of a tenth of a second."""
    for _ in range(round(seconds * 10)):
        now, total = now + 0.1, total + rate * pace.count * 0.1
        pace.note(now, int(total), pace.count)
    return now, total


def test_it_grows_while_that_pays() -> None:
    """An upstream that limits each connection gets as many as are allowed, soon."""
    pace = Pace(12)
    let(pace, 3.0, 25e6)
    assert pace.count == 12


def test_one_is_enough_for_one() -> None:
    """Without leave for more there is nothing to find out."""
    pace = Pace(1)
    let(pace, 3.0, 25e6)
    assert pace.count == 1


def test_it_goes_back_when_it_does_not_pay() -> None:
    """A line that is full with one stays with one; after a while it is tried again."""
    pace, now, total, seen = Pace(8), 0.0, 0.0, []
    for _ in range(400):
        now, total = now + 0.1, total + 10e6
        pace.note(now, int(total), pace.count)
        seen.append(pace.count)
    assert set(seen) == {1, 2}
    assert seen[20:100] == [1] * 80
    assert sum(seen) < 400 + 40


def test_trouble_halves_it() -> None:
    """At once, and it rests then, for as long as upstream says if that is longer."""
    pace = Pace(8)
    now, total = let(pace, 3.0, 25e6)
    pace.trouble(now, 40.0)
    assert pace.count == 4
    now, total = let(pace, 39.0, 25e6, now, total)
    assert pace.count == 4
    let(pace, 5.0, 25e6, now, total)
    assert pace.count == 8


def test_those_that_bring_nothing_yet_do_not_count() -> None:
    """A rate is measured from when every connection brings bytes."""
    pace = Pace(8)
    for tenth in range(100):
        pace.note(tenth / 10, tenth * 1000, 0)
    assert pace.count == 1
    assert AGAIN_SECONDS > 1
