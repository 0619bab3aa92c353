"""A lane whose disk does not answer."""

import hashlib
import os
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

import pytest
from attrs import Factory, define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.model.ranges import Extents
from regproxy.store.memory import MemoryStore
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.hashing import Hashes, PrefixHashes
from regproxy.stream.lane import STALL, Lane, Timely, in_time
from regproxy.stream.pool import Pool
from regproxy.stream.window import AHEAD, BEHIND, Window
from tests.fakes.remote import InlinePool
from tests.stream.test_enduring import Stuck
from tests.stream.test_hashing import Later

T = TypeVar("T")


class Nothing:
    """Bytes that nobody hashes here."""

    extents = Extents()

    def fileno(self) -> int:
        """Not read."""
        return -1


def test_scattered_bytes_fail_and_are_not_written_late() -> None:
    """The job that waited for the stuck disk does not run when the disk comes to: its fill has ended by then."""
    writer, disk, clock = EnduringWriter(MemoryStore().create(None)), Later(), Clock()
    hashes = PrefixHashes(Hashes.of((), None), Nothing(), InlinePool())
    lane = Lane(writer, disk, InlinePool(), clock, hashes)
    writer.scatter()
    ran, outcome = list[int](), list[object]()
    lane.run(lambda: ran.append(1)).addErrback(lambda failure: outcome.append(failure.type))
    clock.advance(STALL - 0.1)
    assert outcome == []
    clock.advance(0.1)
    assert outcome == [TimeoutError]
    disk.all()
    assert ran == []
    writer.abort()


def test_an_answer_in_time() -> None:
    """No timer is left behind it."""
    writer, disk, clock = EnduringWriter(MemoryStore().create(None)), Later(), Clock()
    hashes = PrefixHashes(Hashes.of((), None), Nothing(), InlinePool())
    lane = Lane(writer, disk, InlinePool(), clock, hashes)
    outcome: list[object] = []
    running: Deferred[None] = lane.run(lambda: None)
    running.addCallback(outcome.append)
    clock.advance(STALL - 0.1)
    disk.all()
    assert (outcome, clock.getDelayedCalls()) == ([None], [])
    writer.abort()


PIECE = bytes(range(256)) * 4096  # 1 MiB: further than checkpoints are apart


def sha256(hashes: Hashes) -> str:
    """What they are by now."""
    return hashes.digests()["sha256"].hex


@define(eq=False)
class Scene:
    """A lane whose disk and whose other threads do what the test tells them, and pieces that are written one after the other."""

    writer: EnduringWriter
    later: Later = field(factory=Later, init=False)
    disk: Pool = field(default=Factory(lambda self: self.later, takes_self=True))
    rescue: Later = field(factory=Later)
    clock: Clock = field(factory=Clock)
    outcome: list[object] = field(factory=list)
    hashes: PrefixHashes = field(init=False)
    lane: Lane = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.hashes = PrefixHashes(Hashes.of((), None), Nothing(), InlinePool())
        self.lane = Lane(self.writer, self.disk, self.rescue, self.clock, self.hashes)

    def write(self, number: int) -> None:
        """The ingest's job, of one piece."""

        def work() -> None:
            self.hashes.hashes.update([PIECE])
            self.writer.write_at(number * len(PIECE), [PIECE])

        done: Deferred[None] = self.lane.run(work)
        done.addCallbacks(self.outcome.append, lambda failure: self.outcome.append(failure.type))

    def points(self, *offsets: int) -> list[tuple[int, bool]]:
        """The checkpoints before some pieces, and whether they are of what lies before them."""
        found = [self.lane.checkpoints.before(number * len(PIECE)) for number in offsets]
        expected = [hashlib.sha256(PIECE * (at // len(PIECE))).hexdigest() for at, _ in found]
        return [(at // len(PIECE), sha256(hashes) == right) for (at, hashes), right in zip(found, expected, strict=True)]


def test_a_job_that_has_not_begun_is_done_elsewhere() -> None:
    """When the disk has not come to it in time: into a window, and not a second time when the disk comes to."""
    scene = Scene(EnduringWriter(MemoryStore().create(None)))
    scene.write(0)
    scene.later.all()
    scene.write(1)
    scene.clock.advance(STALL)
    assert (scene.outcome, len(scene.rescue.jobs)) == ([None], 1)
    scene.rescue.all()
    window = scene.writer.window
    assert window is not None
    assert (scene.outcome, scene.writer.turned_at, window.head) == ([None, None], len(PIECE), 2 * len(PIECE))
    scene.later.all()
    assert window.head == 2 * len(PIECE)
    assert scene.points(0, 1, 2) == [(0, True), (1, True), (2, True)]
    assert os.pread(window.fileno(), 3 * len(PIECE), 0) == 2 * PIECE
    scene.writer.abort()
    window.close()


def test_a_job_that_is_stuck_is_taken_over() -> None:
    """Its bytes are put into the window, hashed once; whatever the disk says later is ignored."""
    stuck = Stuck(MemoryStore().create(None))
    scene = Scene(EnduringWriter(stuck))
    scene.write(0)
    thread = Thread(target=scene.later.jobs.pop())
    thread.start()
    stuck.there.wait(30)
    scene.clock.advance(STALL)
    scene.rescue.all()
    window = scene.writer.window
    assert window is not None
    assert (scene.outcome, window.head) == ([None], len(PIECE))
    stuck.going.set()
    thread.join()
    assert (scene.outcome, window.head, scene.points(1)) == ([None], len(PIECE), [(1, True)])
    scene.writer.abort()
    window.close()


class Silent:
    """A disk that does its jobs at once, and answers when the test says so."""

    def __init__(self) -> None:
        self.answers: list[Callable[[], None]] = []

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Do it."""
        done, result = Deferred[T](), work()
        self.answers.append(lambda: done.callback(result))
        return done


@pytest.mark.parametrize("again", [True, False])
def test_a_disk_that_does_not_say_that_it_has_done_it(*, again: bool) -> None:
    """The window begins behind those bytes, and the answer is waited for once more: nothing is done twice."""
    disk = Silent()
    scene = Scene(EnduringWriter(MemoryStore().create(None)), disk)
    scene.write(0)
    scene.clock.advance(STALL)
    scene.rescue.all()
    window = scene.writer.window
    assert window is not None
    assert (scene.outcome, scene.writer.turned_at, window.head) == ([], len(PIECE), len(PIECE))
    if again:  # nothing waits for that disk any more
        scene.clock.advance(STALL)
        scene.rescue.all()
        assert scene.outcome == [None]
    disk.answers.pop()()
    assert (scene.outcome, window.head, scene.clock.getDelayedCalls()) == ([None], len(PIECE), [])
    scene.writer.abort()
    window.close()


def test_scattered_bytes_whose_disk_does_not_answer() -> None:
    """Fail at the first stall, written or not: no window could go on with them."""
    disk = Silent()
    scene = Scene(EnduringWriter(MemoryStore().create(None)), disk)
    scene.writer.scatter()
    scene.write(3)
    scene.clock.advance(STALL)
    assert (scene.outcome, scene.rescue.jobs, scene.writer.window) == ([TimeoutError], [], None)
    disk.answers.pop()()
    scene.writer.abort()


def test_scattered_before_it_is_taken_over() -> None:
    """The job that has not begun fails, and does not begin any more."""
    scene = Scene(EnduringWriter(MemoryStore().create(None)))
    scene.write(0)
    scene.clock.advance(STALL)
    assert scene.writer.scatter()
    scene.rescue.all()
    scene.later.all()
    assert (scene.outcome, scene.writer.window, os.fstat(scene.writer.fileno()).st_size) == ([TimeoutError], None, 0)
    scene.writer.abort()


def test_what_fails_in_a_lane() -> None:
    """On the disk or past it: the ingest is told."""
    scene = Scene(EnduringWriter(MemoryStore().create(None)))

    def fail() -> None:
        raise OSError("broken")

    for _ in range(2):
        failing: Deferred[None] = scene.lane.run(fail)
        failing.addErrback(lambda failure: scene.outcome.append(failure.type))
        scene.later.all()
        scene.rescue.all()
        scene.writer.give_up_disk(TimeoutError())
    assert scene.outcome == [OSError, OSError]
    assert scene.clock.getDelayedCalls() == []
    scene.writer.abort()
    assert scene.writer.window is not None
    scene.writer.window.close()


def test_through_a_window() -> None:
    """Only while there is room, past the disk; what lies behind is punched out first, and where each job ended is noted."""
    window = Window.open(0, bounded=True)
    scene = Scene(EnduringWriter.through(window))
    scene.write(0)
    scene.rescue.all()
    for number in (1, 2):
        scene.write(number)
        assert (len(scene.outcome), scene.rescue.jobs) == (number, [])
        window.seen(window.head)
        scene.rescue.all()
    assert (scene.outcome, scene.later.jobs) == ([None] * 3, [])
    assert scene.points(0, 1, 2, 3) == [(0, True), (1, True), (2, True), (3, True)]
    assert len(PIECE) > AHEAD
    assert (window.tail, len(PIECE)) == (len(PIECE), BEHIND)
    assert os.pread(window.fileno(), 1, len(PIECE) - 1) == b"\0"
    assert os.pread(window.fileno(), len(PIECE), len(PIECE)) == PIECE
    window.close()


def test_where_the_first_checkpoint_is() -> None:
    """Where the window begins; without one, at byte 0."""
    window = Window.open(7, bounded=True)
    assert Scene(EnduringWriter.through(window)).lane.checkpoints.before(100)[0] == 7
    spool = MemoryStore().create(None)
    assert Scene(EnduringWriter(spool)).lane.checkpoints.before(100)[0] == 0
    spool.abort()
    window.close()


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_a_pool_that_is_not_waited_for_too_long(*, late: bool, fails: bool) -> None:
    """Its answer in time is the answer, whatever it is; then it is that there is none, and what it says later is dropped."""
    later, clock, outcome = Later(), Clock(), list[object]()

    def work() -> str:
        if fails:
            raise OSError("broken")
        return "fine"

    answered: Deferred[str] = Timely(later, clock).run(work)
    answered.addCallbacks(outcome.append, lambda failure: outcome.append(failure.type))
    clock.advance(STALL if late else STALL - 0.1)
    later.all()
    clock.advance(STALL)
    assert outcome == [TimeoutError if late else OSError if fails else "fine"]
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("when", ["in time", "late", "fails late"])
def test_what_comes_too_late(when: str) -> None:
    """Is for whoever wants it even then, though a thread has brought it before the time was over; a failure is nobody's."""
    done, clock, outcome, late = Deferred[str](), Clock(), list[object](), list[str]()
    in_time(clock, done, late.append).addBoth(outcome.append)
    clock.advance(STALL if "late" in when else STALL - 0.1)
    if "fails" in when:
        done.errback(OSError("broken"))
    else:
        done.callback("fine")
    assert late == (["fine"] if when == "late" else [])
    assert len(outcome) == 1
