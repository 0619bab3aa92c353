"""The order of a drain, by a clock: what is waited for, how long, and what a second wish changes."""

import errno
import os

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.drain import LOOK, PARK_SECONDS, RETIRED_GRACE, Drain
from regproxy.ending import in_turn
from regproxy.errors import Kind, RegproxyError
from regproxy.notify import Notify


@define
class Stage:
    """A server that has so much to do, and notes what is asked of it."""

    running: int = 1
    fills: int = 0
    parked: int = 0
    done: list[str] = field(factory=list)

    def announce_end(self) -> None:
        """Note it."""
        self.done.append("announced")

    async def close_ports(self) -> None:
        """Note it."""
        self.done.append("closed")

    def close_idle(self) -> None:
        """Note it."""
        self.done.append("idle closed")

    def responses(self) -> int:
        """As it was told."""
        return self.running

    def count(self) -> int:
        """As it was told."""
        return self.fills

    def parkable(self) -> int:
        """As it was told."""
        return self.parked

    def cut(self) -> None:
        """Note it; nothing is answered any more."""
        self.done.append("cut")
        self.running = 0


def begin(stage: Stage, delay: float = 10, seconds: float = 20) -> tuple[Clock, Drain, "Deferred[None]"]:
    """A drain that has begun."""
    clock = Clock()
    drain = Drain(clock, stage, stage, Notify(clock), delay=delay, seconds=seconds)
    return clock, drain, Deferred.fromCoroutine(drain.run())


def test_the_delay_comes_first() -> None:
    """It is announced at once; the ports close when the delay is over."""
    stage = Stage()
    clock, drain, _ = begin(stage)
    assert (stage.done, drain.state.draining) == (["announced"], True)
    clock.advance(10)
    assert stage.done == ["announced", "closed", "idle closed"]


def test_it_ends_with_the_last_response_and_fill() -> None:
    """Not before either of them has ended."""
    stage = Stage(running=1, fills=1)
    clock, _, ended = begin(stage, delay=0)
    clock.pump([LOOK] * 5)
    stage.running = 0
    clock.pump([LOOK] * 5)
    assert not ended.called
    stage.fills = 0
    clock.advance(LOOK)
    assert ended.called


def test_what_is_late_is_cut() -> None:
    """After drainSeconds, whatever runs."""
    stage = Stage()
    clock, _, ended = begin(stage, delay=0, seconds=20)
    clock.pump([LOOK] * 199)
    assert "cut" not in stage.done
    clock.pump([LOOK] * 3)
    assert ("cut" in stage.done, ended.called) == (True, True)


def test_a_port_that_cannot_be_closed_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs is waited for all the same."""

    async def fail(_: Stage) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Stage, "close_ports", fail)
    stage = Stage()
    clock, _, ended = begin(stage, delay=0)
    clock.advance(LOOK)
    assert (stage.done, ended.called) == (["announced", "idle closed"], False)
    stage.running = 0
    clock.advance(LOOK)
    assert ended.called


@pytest.mark.parametrize(
    "error", [OSError(errno.EROFS, "read-only"), RegproxyError(Kind.STORAGE, "full"), ValueError("a defect")]
)
def test_a_step_that_fails_keeps_no_other_from_happening(error: Exception) -> None:
    """Whether it is waited for or not, and whatever it raises."""
    done: list[str] = []

    def step() -> None:
        raise error

    async def waited() -> None:
        raise error

    ended = Deferred.fromCoroutine(in_turn(step, waited, lambda: done.append("last")))
    assert (done, ended.called) == (["last"], True)


def test_parking_is_waited_for() -> None:
    """A fill that loses its last reader by the cut has a moment to be parked, but no more."""
    stage = Stage(fills=1, parked=1)
    clock, _, ended = begin(stage, delay=0, seconds=0)
    clock.advance(LOOK)
    assert ("cut" in stage.done, ended.called) == (True, False)
    stage.parked = 0
    clock.advance(LOOK)
    assert ended.called
    stage = Stage(fills=1, parked=1)
    clock, _, ended = begin(stage, delay=0, seconds=0)
    clock.pump([LOOK] * (int(PARK_SECONDS / LOOK) + 2))
    assert ended.called


def test_hurry() -> None:
    """The rest of the delay and of the patience is skipped."""
    stage = Stage(fills=3, parked=3)
    _, drain, ended = begin(stage, delay=1000, seconds=1000)
    drain.hurry()
    drain.hurry()
    assert (stage.done, ended.called) == (["announced", "closed", "idle closed", "cut"], True)


def test_who_is_replaced_takes_his_time() -> None:
    """No delay, for others serve; idle clients are let go after a moment, and what runs may run long."""
    stage, clock = Stage(), Clock()
    drain = Drain(clock, stage, stage, Notify(clock), delay=10, seconds=20)
    drain.is_retired = True
    ended = Deferred.fromCoroutine(drain.run())
    assert stage.done == ["announced", "closed"]
    clock.advance(RETIRED_GRACE)
    assert stage.done == ["announced", "closed", "idle closed"]
    clock.pump([LOOK] * 1000)
    assert not ended.called
    stage.running = 0
    clock.advance(LOOK)
    assert ended.called
