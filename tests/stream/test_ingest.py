"""How a stretch of a body is taken: one job at a time, with back-pressure, and no error that gets lost."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred

from regproxy.errors import RegproxyError
from regproxy.model.ranges import Span
from regproxy.store.memory import MemoryStore
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.ingest import HIGH, LOW, Ingest
from regproxy.stream.source import Consumer
from regproxy.stream.stretch import Stretch

T = TypeVar("T")


@define(eq=False)
class Steps:
    """A pool whose jobs wait until they are let go."""

    jobs: list[Callable[[], object]] = field(factory=list)

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Queue it."""
        done: Deferred[T] = Deferred()
        self.jobs.append(lambda: maybeDeferred(work).chainDeferred(done))
        return done

    def step(self) -> None:
        """Do the oldest."""
        self.jobs.pop(0)()


@define(eq=False)
class Hashes:
    """Notes what is hashed, released and taken back."""

    data: bytearray = field(factory=bytearray)
    notes: list[object] = field(factory=list)
    followed: int = 0

    def claim(self, offset: int) -> Callable[[Sequence[bytes]], None] | None:
        """Only what comes in order."""
        return (lambda buffers: self.data.extend(b"".join(buffers))) if offset == len(self.data) else None

    def release(self, count: int) -> None:
        """Note it."""
        self.notes.append(count)

    def undo(self) -> None:
        """Note it."""
        self.notes.append("undone")

    def follow(self) -> None:
        """Count it; nothing is read back here."""
        self.followed += 1


@define(eq=False)
class Body:
    """A source that a test pushes bytes out of; it counts what it was told."""

    length: int | None = None
    consumer: Consumer | None = None
    told: list[str] = field(factory=list)
    done: Deferred[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.done = Deferred(lambda _: self.told.append("cancel"))

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Begin."""
        self.consumer = consumer
        consumer.start(self)  # type: ignore[arg-type] # enough of a producer
        return self.done

    def abort(self) -> None:
        """Not reached."""

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note it."""
        self.told.append("pause")

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note it."""
        self.told.append("resume")

    def push(self, data: bytes) -> None:
        """Bytes come."""
        assert self.consumer is not None
        self.consumer.write(data)


@define(eq=False)
class Scene:
    """One ingest that runs."""

    body: Body
    pool: Steps
    hashes: Hashes
    blob: GrowingBlob
    writer: Any
    outcome: list[Any]
    run: Deferred[Any]


def running(stretch: Stretch | None = None, *, fails: bool = False, body: Body | None = None) -> Scene:
    """Begin one."""
    writer: Any = MemoryStore().create(None)
    blob = GrowingBlob.over(writer.fileno(), None, withheld=False)
    scene = Scene(body or Body(), Steps(), Hashes(), blob, writer, [], Deferred())
    if fails:

        class Failing:
            def write_at(self, offset: int, buffers: Sequence[bytes]) -> None:
                raise OSError(errno.EIO, f"{offset} {len(buffers)}")

        writer = Failing()
    ingest = Ingest(blob, writer, scene.pool, scene.hashes, stretch or Stretch())
    scene.run = Deferred.fromCoroutine(ingest.run(scene.body))
    scene.run.addBoth(lambda result: scene.outcome.append(result and (result.type, result.getErrorMessage())))
    return scene


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Of a body that a test may end."""
    made = running()
    yield made
    if not made.body.done.called:
        made.body.done.callback(None)
    while made.pool.jobs:
        made.pool.step()


def test_one_job_at_a_time(scene: Scene) -> None:
    """What comes meanwhile is one job, too; what is written is told in order, and the end waits for it."""
    for piece in (b"a", b"bc", b"d"):
        scene.body.push(piece)
    assert len(scene.pool.jobs) == 1
    assert scene.blob.extents.reach(0) == 0
    scene.pool.step()
    assert (len(scene.pool.jobs), list(scene.blob.extents), scene.hashes.followed) == (1, [Span(0, 1)], 1)
    scene.body.done.callback(None)
    assert scene.outcome == []
    scene.pool.step()
    assert (scene.pool.jobs, list(scene.blob.extents), scene.outcome) == ([], [Span(0, 4)], [None])
    assert (bytes(scene.hashes.data), scene.hashes.notes) == (b"abcd", [1, 3])


def test_nothing_is_no_job(scene: Scene) -> None:
    """Neither is an empty piece."""
    scene.body.push(b"")
    assert scene.pool.jobs == []


def test_back_pressure(scene: Scene) -> None:
    """Paused once when more than ``HIGH`` is queued, resumed once when less than ``LOW`` is."""
    scene.body.push(b"x")
    scene.body.push(bytes(HIGH))
    assert scene.body.told == []
    scene.body.push(b"y")
    scene.body.push(b"z")
    assert scene.body.told == ["pause"]
    scene.pool.step()
    assert scene.body.told == ["pause", "resume"]
    scene.body.push(bytes(LOW))
    scene.pool.step()
    assert scene.body.told == ["pause", "resume"]


def test_a_write_that_fails() -> None:
    """Ends the delivery, whose own end says nothing else; what was hashed is taken back; nothing more is taken."""
    scene = running(fails=True)
    scene.body.push(b"a")
    scene.body.push(b"b")
    scene.pool.step()
    assert scene.body.told == ["cancel"]
    assert scene.outcome == [(OSError, "[Errno 5] 0 1")]
    assert scene.hashes.notes == ["undone"]
    scene.body.push(b"c")
    assert scene.pool.jobs == []


def test_a_write_that_fails_behind_the_end() -> None:
    """Is no success, though all of the body came."""
    scene = running(fails=True)
    scene.body.push(b"a")
    scene.body.done.callback(None)
    assert scene.outcome == []
    scene.pool.step()
    assert scene.outcome == [(OSError, "[Errno 5] 0 1")]


def test_the_first_failure_counts() -> None:
    """What goes wrong behind it is not told, and nothing is cancelled twice."""
    scene = running(Stretch(0, 3, 3), fails=True)
    scene.body.push(b"abc")
    scene.body.push(b"d")
    scene.pool.step()
    assert [kind for kind, _ in scene.outcome] == [RegproxyError]
    assert scene.body.told == ["cancel"]


def test_a_write_that_fails_out_of_order() -> None:
    """Its bytes were not hashed, so that nothing is taken back."""
    scene = running(Stretch(10, 20, 20), fails=True)
    scene.body.push(b"a")
    scene.pool.step()
    assert (scene.outcome, scene.hashes.notes) == ([(OSError, "[Errno 5] 10 1")], [])


def test_who_reads_is_told_of_each_piece_once(scene: Scene) -> None:
    """Of the first one before the next is taken, for somebody waits for it; then the disk comes first."""
    told: list[tuple[int, int]] = []
    scene.blob.watch(lambda: told.append((scene.blob.extents.reach(0), len(scene.pool.jobs))))
    for piece in (b"a", b"b"):
        scene.body.push(piece)
    scene.pool.step()
    scene.body.push(b"c")
    scene.pool.step()
    assert told == [(1, 0), (2, 1)]
    scene.pool.step()
    assert told == [(1, 0), (2, 1), (3, 0)]


class AtOnce(Body):
    """Sends some bytes while it is asked to."""

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Send."""
        done = super().deliver(consumer)
        self.push(b"abcd")
        return done


@pytest.mark.parametrize(("stretch", "told"), [((0, 3, 9), ["cancel"]), ((0, 3, 3), ["cancel"]), ((0, 4, 4), [])])
def test_too_much_at_once(stretch: tuple[int, int, int], told: list[str]) -> None:
    """Is cut off like what comes later."""
    scene = running(Stretch(*stretch), body=AtOnce())
    assert scene.body.told == told
    while scene.pool.jobs:
        scene.pool.step()


def test_the_bodys_own_failure(scene: Scene) -> None:
    """Reaches the caller after everything that came was written."""
    scene.body.push(b"ab")
    scene.body.done.errback(RuntimeError("cut"))
    assert scene.outcome == []
    scene.pool.step()
    assert scene.outcome == [(RuntimeError, "cut")]
    assert list(scene.blob.extents) == [Span(0, 2)]


def test_more_than_was_announced() -> None:
    """Is refused, and the connection cut, to the byte."""
    scene = running(Stretch(0, 3, 3))
    scene.body.push(b"abc")
    assert scene.body.told == []
    scene.body.push(b"d")
    assert scene.body.told == ["cancel"]
    scene.pool.step()
    ((kind, text),) = scene.outcome
    assert (kind, "more bytes" in text) == (RegproxyError, True)


def test_a_stretch_that_ends_before_its_answer() -> None:
    """Its connection is cut at the end, which is no failure; what comes behind it is not written."""
    scene = running(Stretch(10, 13, 20))
    scene.body.push(b"abcde")
    assert scene.body.told == ["cancel"]
    scene.body.push(b"f")
    scene.pool.step()
    assert (scene.outcome, list(scene.blob.extents), scene.pool.jobs) == ([None], [Span(10, 13)], [])
    assert os.pread(scene.writer.fileno(), 100, 10) == b"abc"
    assert scene.hashes.notes == []  # out of order: somebody else hashes it


def test_stopped_from_outside(scene: Scene) -> None:
    """A cancellation that is not its own is told."""
    scene.body.push(b"a")
    scene.body.done.cancel()
    scene.pool.step()
    assert [kind for kind, _ in scene.outcome] == [CancelledError]


@pytest.mark.parametrize("times", [1, 2])
def test_nobody_leaves_while_a_thread_writes(scene: Scene, times: int) -> None:
    """Who stops it behind the end of the body, however often, waits for what was taken, and then has all of it."""
    scene.body.push(b"a")
    scene.body.done.callback(None)
    for _ in range(times):
        scene.run.cancel()
    assert scene.outcome == []
    scene.pool.step()
    assert (scene.outcome, list(scene.blob.extents)) == ([None], [Span(0, 1)])
