"""What an upload or a continued fill will take is nobody else's meanwhile."""

import os
from pathlib import Path

import pytest
from attrs import define
from twisted.internet.defer import Deferred

from regproxy.model.fetch import Announced
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.waybill import Waybill
from regproxy.repo.interface import Unavailable
from regproxy.repo.room import Room
from regproxy.repo.storing import Storing
from regproxy.store.disk import DiskStore
from regproxy.store.interface import Space
from regproxy.store.memory import MemoryStore, MemoryWriter
from tests.fakes.remote import BIG, Body, bench, blob
from tests.repo.test_fill import LARGE, LARGE_BLOB, LARGE_REST, parked
from tests.repo.test_growth import paths
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


def test_nothing_cached_goes_for_what_is_parked_while_upstream_is_down() -> None:
    """Upstream is asked before room is made."""
    made = parked()
    for number in range(4):
        hold(made, bytes([number]) * 500 * KIB, f"old-{number}")
    made.parts.room.limit = 2100 * KIB  # 2000 are cached, the body is of 2048
    before = paths(made)
    got = made.resolve(LARGE_BLOB)
    made.upstream.fail(retry_after=20)
    assert isinstance(got[0], Unavailable)
    assert paths(made) == before


def test_what_a_parked_fill_has_is_not_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """While its spool is being opened, only the rest of it counts as taken."""
    made = parked(at=2000 * KIB)
    hold(made, b"c" * 900 * KIB, "cached")
    made.store.capacity = 5000 * KIB  # 2000 are parked, 900 cached, 2100 free, 250 are the reserve
    with monkeypatch.context() as patch:
        patch.setattr(Room, "_spool", lambda *_, **__: Deferred())
        made.resolve(LARGE_BLOB)
        left = len(LARGE) - 2000 * KIB
        made.upstream.answer(206, Body(left), content_range=f"bytes {2000 * KIB}-{len(LARGE) - 1}/{len(LARGE)}", etag='"v1"')
    assert made.parts.room.live() == len(LARGE)
    made.resolve(blob(BIG * 2, "other"))  # 512 of the 1800 that are nobody's
    made.upstream.answer(200, Body(len(BIG * 2)))
    assert "cached" in paths(made)


def test_what_a_dead_process_had_set_aside_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was killed, so that its file has all the room that the body takes: none is to be made for the rest."""
    made = bench(store=DiskStore(tmp_path / "store"))  # type: ignore[arg-type] # enough of one
    announced = Announced(Head(len(LARGE)))
    assert LARGE_BLOB.digest is not None
    waybill = Waybill("r", "a/b", "https://upstream.example/a/b", announced, (LARGE_BLOB.digest,), Headers.of(etag='"v1"'))
    writer = made.store.create(len(LARGE), waybill.to_json())
    for at in (0, 100_000):
        writer.write_at(at, [LARGE[at : at + 100_000]])
    os.close(writer.fileno())
    (left,) = made.store.left()
    assert left.used >= len(LARGE)
    Deferred.fromCoroutine(made.parts.parking.recall(("r", "a/b"), left.name))
    monkeypatch.setattr(DiskStore, "space", lambda _: Space(1 << 30, (1 << 30) // 20 + 100 * KIB))
    made.resolve(LARGE_BLOB)
    rest = len(LARGE) - 200_000
    body = made.upstream.answer(206, Body(rest), content_range=f"bytes 200000-{len(LARGE) - 1}/{len(LARGE)}", etag='"v1"')
    assert (made.parts.room.trouble, body.aborted) == (None, False)
    body.send(LARGE[200_000:])
    body.end()
    assert made.store.left() == []
