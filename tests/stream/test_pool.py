"""The writers' threads: jobs are done before they end, and whoever no longer waits is left alone."""

import threading
from collections.abc import Callable, Iterator

import pytest
from twisted.internet.defer import CancelledError

from regproxy.stream.pool import WriterPool


class Calls:
    """As much of a reactor as the threads know: what is to be called in it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def callFromThread(self, work: Callable[..., object], *arguments: object) -> None:  # noqa: N802 - Twisted's name
        """Note it."""
        self.calls.append((work, arguments))

    def run(self) -> None:
        """Do what was noted."""
        for work, arguments in self.calls:
            work(*arguments)
        self.calls.clear()


@pytest.fixture
def calls() -> Calls:
    """Nothing is to be done."""
    return Calls()


@pytest.fixture
def pool(calls: Calls) -> Iterator[WriterPool]:
    """Two threads."""
    made = WriterPool(calls, 2)  # type: ignore[arg-type] # enough of a reactor
    made.start()
    yield made
    made.stop()


def writers() -> int:
    """How many such threads there are."""
    return sum(thread.name.startswith("writer-") for thread in threading.enumerate())


def test_the_end_waits_for_the_jobs(pool: WriterPool, calls: Calls) -> None:
    """All that was queued is done, by as many threads as there are to be, and they are gone."""
    gate, done = threading.Event(), list[object]()
    before = writers()
    for number in range(5):
        pool.run(lambda number=number: (gate.wait(30), number)[1]).addCallback(done.append)  # type: ignore[misc] # defaults
    threading.Timer(0.05, gate.set).start()
    pool.stop()
    assert before - writers() == 2
    calls.run()
    assert sorted(done) == [0, 1, 2, 3, 4]  # type: ignore[type-var] # numbers


def test_ended_twice_and_begun_again(pool: WriterPool, calls: Calls) -> None:
    """The second end is nothing; what begins again does its jobs."""
    before, done = writers(), list[object]()
    pool.stop()
    pool.stop()
    pool.start()
    assert writers() == before
    pool.run(lambda: "fine").addCallback(done.append)
    pool.stop()
    calls.run()
    assert done == ["fine"]


def test_what_a_job_raises(pool: WriterPool, calls: Calls) -> None:
    """Reaches who waits for it, and no other job."""
    outcome: list[object] = []
    pool.run(lambda: 1 // 0).addErrback(lambda failure: outcome.append(failure.type))
    pool.run(lambda: "fine").addCallback(outcome.append)
    pool.stop()
    calls.run()
    assert set(map(str, outcome)) == {str(ZeroDivisionError), "fine"}


def test_nobody_waits_any_more(pool: WriterPool, calls: Calls) -> None:
    """The work is done all the same; its result goes nowhere."""
    gate, done, outcome = threading.Event(), list[int](), list[object]()

    def work() -> None:
        gate.wait(30)
        done.append(1)

    waiter = pool.run(work)
    waiter.addErrback(lambda failure: outcome.append(failure.type))
    waiter.cancel()
    gate.set()
    pool.stop()
    calls.run()
    assert (done, outcome) == ([1], [CancelledError])


def stack_size() -> int:
    """Asking for it sets it to nothing."""
    size = threading.stack_size()
    threading.stack_size(size)
    return size


def test_the_size_of_a_stack(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pool says counts for its own threads alone."""
    before, sizes, start = stack_size(), set[int](), threading.Thread.start

    def started(thread: threading.Thread) -> None:
        sizes.add(stack_size())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", started)
    pool = WriterPool(calls, 2, 256 << 10)  # type: ignore[arg-type] # as above
    pool.start()
    done: list[object] = []
    pool.run(lambda: "fine").addCallback(done.append)
    pool.stop()
    calls.run()
    assert (done, sizes, stack_size()) == (["fine"], {256 << 10}, before)
