"""Jobs: when steps are called, and what ends them."""

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import provider

from regproxy.jobs import AGAIN_SECONDS, Job, Jobs


@define(eq=False)
class Work:
    """Steps that end when the test says so, or at once."""

    pause: float = 10.0
    begun: int = field(default=0, init=False)
    held: "list[Deferred[None]] | None" = None
    broken: bool = False

    async def step(self) -> float:
        """One step."""
        self.begun += 1
        if self.broken:
            raise RuntimeError("broken on purpose")
        if self.held is not None:
            gate: Deferred[None] = Deferred()
            self.held.append(gate)
            await gate
        return self.pause


def running(work: Work, first: float = 0.0) -> tuple[Jobs, Clock]:
    """One job that has been started."""
    clock = Clock()
    jobs = Jobs(clock)
    jobs.add([Job("work", work.step, first)])
    jobs.start()
    return jobs, clock


def test_a_step_says_when_the_next_is_due() -> None:
    """The first comes when the job says so, each further one as long after the last as that one said."""
    work = Work()
    _, clock = running(work, first=5.0)
    clock.advance(4)
    assert work.begun == 0
    clock.advance(1)
    assert work.begun == 1
    clock.advance(9)
    assert work.begun == 1
    clock.advance(1)
    assert work.begun == 2


def test_steps_do_not_overlap() -> None:
    """A slow step is waited for; what was nudged meanwhile follows at once."""
    work = Work(held=[])
    jobs, clock = running(work)
    clock.advance(0)
    clock.advance(100)
    jobs.nudge("work")
    assert work.begun == 1
    assert work.held is not None
    work.held.pop().callback(None)
    clock.advance(0)
    assert work.begun == 2


def test_a_nudge_comes_before_the_time() -> None:
    """Whoever cannot wait need not."""
    work = Work(pause=1000.0)
    jobs, clock = running(work)
    clock.advance(0)
    jobs.nudge("work")
    clock.advance(0)
    assert work.begun == 2


def test_a_step_that_fails_is_tried_again() -> None:
    """The failure is in the log, the job goes on."""
    seen: list[str] = []

    @provider(ILogObserver)
    def observer(event: object) -> None:
        seen.append(str(event))

    globalLogPublisher.addObserver(observer)
    work = Work(broken=True)
    _, clock = running(work)
    clock.advance(0)
    globalLogPublisher.removeObserver(observer)
    assert any("broken on purpose" in event for event in seen)
    work.broken = False
    clock.advance(AGAIN_SECONDS)
    assert work.begun == 2


def test_stop_waits_for_the_step() -> None:
    """Whatever a step uses is closed after it only; then nothing is called any more, until the next start."""
    work = Work(held=[])
    jobs, clock = running(work)
    clock.advance(0)
    ended: list[object] = []
    Deferred.fromCoroutine(jobs.stop()).addBoth(ended.append)
    assert ended == []
    assert work.held is not None
    work.held.pop().callback(None)
    assert ended == [None]
    assert clock.getDelayedCalls() == []
    jobs.nudge("work")
    clock.advance(1000)
    assert work.begun == 1
    jobs.start()
    clock.advance(0)
    assert work.begun == 2


def test_jobs_may_come_later() -> None:
    """A job that is added to running ones begins, and its name is its own."""
    jobs, clock = running(Work())
    late = Work()
    jobs.add([Job("late", late.step)])
    clock.advance(0)
    assert late.begun == 1
    with pytest.raises(ValueError, match="late"):
        jobs.add([Job("late", late.step)])
