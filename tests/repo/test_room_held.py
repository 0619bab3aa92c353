"""What an upload or a continued fill will take is nobody else's meanwhile."""

import pytest
from attrs import define
from twisted.internet.defer import Deferred

from regproxy.repo.storing import Storing
from regproxy.store.memory import MemoryStore, MemoryWriter
from tests.fakes.remote import Body, bench
from tests.repo.test_fill import LARGE, LARGE_BLOB, LARGE_REST, parked
from tests.repo.test_room import KIB, hold


@define(eq=False)
class LateWriter(MemoryWriter):
    """Sets nothing aside before it is written."""

    length: int = 0

    @property
    def due(self) -> int:
        """What is not written."""
        return self.length - self._extents.reach(0)


class LateStore(MemoryStore):
    """As a disk: what a body takes is not set aside at once."""

    def create(self, length: int | None, about: bytes | None = None) -> MemoryWriter:
        """Without that."""
        return LateWriter(self, super().create(None, about).fileno(), about, length=length or 0)


@pytest.mark.parametrize("size", [300, 350])
def test_two_uploads_at_once(size: int) -> None:
    """Each has room only where the other does not count on the same bytes."""
    made = bench(store=LateStore(capacity=1000 * KIB))
    hold(made, b"o" * 400 * KIB, "old")
    bodies, ended = [Body(size * KIB), Body(size * KIB)], list[object]()
    for body in bodies:
        Deferred.fromCoroutine(Storing(made.parts, None).body(body)).addBoth(ended.append)  # type: ignore[arg-type]
    for number in range(size // 10):
        for index, body in enumerate(bodies):
            body.send(bytes([number + 100 * index]) * 10 * KIB)
    for body in bodies:
        body.end()
    assert [getattr(each, "size", each) for each in ended] == [size * KIB] * 2
    assert made.parts.room.lacking() == 0
    assert made.parts.room.live() == 0


def test_a_parked_fill_that_goes_on_counts() -> None:
    """It is as live as any."""
    made = parked()
    got = made.resolve(LARGE_BLOB)
    rest = made.upstream.answer(206, Body(len(LARGE) - 100_000), content_range=LARGE_REST, etag='"v1"')
    rest.send(LARGE[100_000:200_000])
    assert made.parts.room.live() == len(LARGE)
    rest.send(LARGE[200_000:])
    rest.end()
    assert made.parts.room.live() == 0
    got[0].readable.release()
