"""Wrong bytes again and again: upstream is asked once more at once, and then with pauses."""

from typing import Any

from twisted.internet.defer import Deferred

from regproxy.repo.distrust import PAUSE, SECONDS
from regproxy.repo.interface import Unavailable
from tests.fakes.remote import BIG, Bench, Body, bench, blob, content


def wrong(made: Bench, path: str = "a/b") -> None:
    """Upstream is asked, and sends what it should not."""
    asked = len(made.upstream.questions)
    got = made.resolve(blob(BIG, path))
    assert len(made.upstream.questions) == asked + 1
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(b"X" + BIG[1:])
    body.end()
    got[0].readable.release()


def refused(made: Bench, path: str = "a/b") -> Any:
    """Upstream is not asked; the answer."""
    asked = len(made.upstream.questions)
    (answer,) = made.resolve(blob(BIG, path))
    assert len(made.upstream.questions) == asked
    return answer


def test_pauses() -> None:
    """The first one comes behind the second time; other paths have none."""
    made = bench()
    wrong(made)
    wrong(made)
    for _ in range(3):
        answer = refused(made)
        assert isinstance(answer, Unavailable)
        assert (answer.status, answer.retry_after) == (502, None)
        made.clock.advance(PAUSE - 0.5)
        refused(made)
        made.clock.advance(0.5)
        wrong(made)
    wrong(made, "a/c")
    wrong(made, "a/c")


def test_the_right_ones_come() -> None:
    """They are kept, hits know nothing of pauses, and what was before does not count any more."""
    made = bench()
    for _ in range(2):
        wrong(made)
    made.clock.advance(PAUSE)
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(BIG)
    body.end()
    assert content(got[0]) == BIG
    assert content(refused(made)) == BIG
    Deferred.fromCoroutine(made.parts.room.eviction.free(1))
    for _ in range(2):
        wrong(made)
    assert isinstance(refused(made), Unavailable)


def test_long_ago() -> None:
    """It is forgotten."""
    made = bench()
    for _ in range(3):
        wrong(made)
        made.clock.advance(SECONDS)
