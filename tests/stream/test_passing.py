"""A body that is not kept: who reads it, who has been left behind, and when nobody is there any more."""

import errno
import os
from collections.abc import Iterator

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.model.ranges import Span
from regproxy.store.memory import MemoryStore
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.growing import TAIL
from regproxy.stream.passing import PassingBlob
from regproxy.stream.source import Readable
from regproxy.stream.window import BEHIND, Window

SIZE = 8 << 20


@define(eq=False)
class Scene:
    """A blob that passes through a window from the start, and what it said."""

    blob: PassingBlob
    window: Window
    said: list[str] = field(factory=list)

    def write(self, count: int) -> None:
        """So many bytes come."""
        start = self.window.head
        self.window.write([bytes(count)])
        self.blob.wrote(Span(start, self.window.head))


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Nothing has come."""
    window = Window.open(0, bounded=True)
    writer = EnduringWriter.through(window)
    blob = PassingBlob(os.dup(window.fileno()), SIZE, True, writer=writer)  # noqa: FBT003 - as GrowingBlob.over
    made = Scene(blob, window)
    blob._deserted = lambda: made.said.append("deserted")
    blob.turned = lambda: made.said.append("turned")
    blob.closed = lambda: made.said.append("closed")
    yield made
    while blob._holds:
        blob.release()
    assert window.fileno() == -1


def test_it_is_told_once(scene: Scene) -> None:
    """That it is not kept, with the first bytes; that nobody may join, when the first byte is gone."""
    scene.blob.hold()
    assert (scene.blob.is_passing, scene.blob.reach(0)) == (True, 0)
    for _ in range(2):
        scene.write(BEHIND)
    assert scene.said == ["turned"]
    assert scene.blob.reach(2 * BEHIND) == 2 * BEHIND
    assert scene.window.trim() is not None
    for _ in range(2):
        scene.write(1)
    assert scene.said == ["turned", "closed"]


def test_the_tail_waits_here_as_well(scene: Scene) -> None:
    """All but the tail can be read before the verdict."""
    scene.write(SIZE)
    assert scene.blob.reach(0) == SIZE - TAIL
    scene.blob.succeed()
    assert scene.blob.reach(0) == SIZE


def test_what_the_spool_has_behind_a_hole() -> None:
    """Is not there any more when the window takes over; no more than that took over from is."""
    store = MemoryStore()
    for holes, expected in (((Span(1, 5),), 0), ((Span(0, 2), Span(4, 6)), 2), ((Span(0, 9),), 3)):
        writer = EnduringWriter(store.create(None))
        writer.write_at(0, [b"abc"])
        blob, said = PassingBlob(os.dup(writer.fileno()), 20, writer=writer), list[str]()
        blob.turned = lambda said=said: said.append("turned")  # type: ignore[misc] # a default
        blob.closed = lambda said=said: said.append("closed")  # type: ignore[misc] # as above
        for span in holes:
            blob.wrote(span)
        assert (said, blob.is_passing) == ([], False)
        writer.give_up_disk(TimeoutError(errno.ETIMEDOUT, "stuck"))
        blob.begin()
        assert (blob.extents.reach(0), blob.extents.reach(4), said, blob.is_passing) == (expected, 4, ["turned"], True)
        writer.abort()
        blob.release()


def test_where_its_bytes_are() -> None:
    """In the spool up to where the window begins, and nobody reads across that border; then in the window."""
    window = Window.open(10, bounded=True)
    blob, said = PassingBlob(os.memfd_create("spool"), 100), list[str]()
    blob.wrote(Span(0, 10))
    blob.closed = lambda: said.append("closed")
    blob.writer = EnduringWriter.through(window)
    window.write([bytes(5)])
    blob.wrote(Span(10, 15))
    assert [blob.fileno(at) == window.fileno() for at in (0, 9, 10, 14)] == [False, False, True, True]
    assert [blob.reach(at) for at in (0, 9, 10, 12, 15, 16)] == [10, 10, 15, 15, 15, 16]
    assert [blob.passed(at) for at in (0, 9, 10, 15, 16)] == [False, False, False, False, True]
    assert said == ["closed"]  # the beginning is not there for whoever comes now
    blob.release()
    assert window.fileno() == -1


def test_the_first_byte_is_in_the_spool() -> None:
    """If the window begins behind it: that is where a body begins to be read back."""
    window = Window.open(1, bounded=True)
    blob = PassingBlob(os.memfd_create("spool"), 100, writer=EnduringWriter.through(window))
    blob.begin()
    assert window.fileno() == blob.fileno(1) != blob.fileno() == blob.fileno(0)
    blob.release()


def test_who_was_left_behind(scene: Scene) -> None:
    """Has passed it, is no reader of it on his detour, and counts as gone for the one who decides whether to go on."""
    scene.blob.hold()
    scene.blob.hold()
    scene.write(3 * BEHIND)
    assert scene.blob.reach(3 * BEHIND) == 3 * BEHIND
    assert scene.window.trim() is not None
    assert [True, False] == [scene.blob.passed(at) for at in (0, 3 * BEHIND)]
    assert scene.blob.reach(0) == 0
    asked: list[int] = []
    gone: Deferred[Readable] = Deferred()
    scene.blob.branch = lambda offset: (asked.append(offset), gone)[1]  # type: ignore[func-returns-value] # both
    assert scene.blob.detour(0) is gone
    assert (asked, scene.blob.readers, scene.said) == ([0], 1, ["turned"])
    scene.blob.release()  # the other one has ended: the one on a detour does not hold the fill
    assert (scene.blob.readers, scene.said) == (0, ["turned", "deserted"])
    scene.blob.returned()
    assert scene.blob.readers == 1


def test_the_last_one_leaves(scene: Scene) -> None:
    """That is told once."""
    scene.blob.hold()
    scene.blob.hold()
    scene.write(10)
    scene.blob.release()
    assert scene.said == ["turned"]
    scene.blob.release()
    assert scene.said == ["turned", "deserted"]


def test_the_last_one_leaves_for_a_detour(scene: Scene) -> None:
    """Then nobody reads it; without a way to make detours he is told so."""
    scene.blob.hold()
    scene.write(10)
    failed: list[object] = []
    scene.blob.detour(0).addErrback(lambda failure: failed.append(failure.type))
    assert (failed, scene.said) == ([EOFError], ["turned", "deserted"])


def test_an_ended_one_is_not_deserted(scene: Scene) -> None:
    """Nothing is to be decided any more."""
    scene.blob.hold()
    scene.write(SIZE)
    scene.blob.succeed()
    scene.blob.release()
    assert scene.said == ["turned"]
