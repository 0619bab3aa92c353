"""A stored blob whose end waits for a verdict."""

import os
from collections.abc import Callable

from regproxy.store.reading import OpenBlob
from regproxy.stream.checked import CheckedBlob
from regproxy.stream.growing import TAIL

SIZE = 3 * TAIL


def blob(begin: Callable[[], None] | None = None) -> CheckedBlob:
    """One that nobody has checked."""
    return CheckedBlob(OpenBlob(os.memfd_create("test"), SIZE), lambda: None, begin or (lambda: None))


def test_the_end_waits() -> None:
    """Everything but the tail is there at once, the tail when it is right; footers wait too."""
    made = blob()
    assert (2 * TAIL, 2 * TAIL, 2 * TAIL + 7) == (made.reach(0), made.reach(0, early=True), made.reach(2 * TAIL + 7))
    assert not made.complete
    made.succeed()
    assert (SIZE, True) == (made.reach(0), made.complete)
    made.release()


def test_a_wrong_one_never_ends() -> None:
    """Whoever waits hears of it."""
    made, heard = blob(), list[object]()

    def changed() -> None:
        heard.append(made.failed)

    made.watch(changed)
    reason = ValueError("wrong")
    made.fail(reason)
    assert ([reason], 2 * TAIL, False) == (heard, made.reach(0), made.complete)
    made.release()


def test_who_has_left_is_not_told() -> None:
    """Of either verdict; leaving twice is nothing."""
    made, told = blob(), list[str]()
    watchers = [lambda name=name: told.append(name) for name in "ab"]
    for changed in watchers:
        made.watch(changed)
    made.unwatch(watchers[0])
    made.unwatch(watchers[0])
    made.succeed()
    made.fail(ValueError("wrong"))
    assert told == ["b", "b"]
    made.release()


def test_it_is_checked_when_somebody_reads() -> None:
    """Once, and not for a HEAD."""
    begun: list[int] = []
    made = blob(lambda: begun.append(1))
    assert begun == []
    made.watch(lambda: None)
    made.watch(lambda: None)
    assert begun == [1]
    made.release()


def test_it_is_closed_by_the_last() -> None:
    """The check has a hold of its own."""
    made = blob().hold()
    made.release()
    assert made.fileno() >= 0
    made.release()
    assert made.fileno() == -1
