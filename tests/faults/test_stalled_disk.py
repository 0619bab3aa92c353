"""Row 41 of the fault matrix: a disk that stands still holds no client up, at the first byte, in the middle, or at the end.

In this process, with the real threads and a store whose disk a test can stop. A thread that is stuck in it stays stuck.
"""

import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor as installed
from twisted.internet.task import deferLater

from regproxy.index.memory import MemoryIndex
from regproxy.model.ranges import Span
from regproxy.model.settings import RepositorySettings
from regproxy.repo.eviction import Eviction
from regproxy.repo.parts import Parts
from regproxy.repo.remote import Remote
from regproxy.repo.room import Room
from regproxy.repo.shelf import Shelf
from regproxy.store.memory import MemoryStore, MemoryWriter
from regproxy.stream import lane
from regproxy.stream.pool import WriterPool
from tests.fakes.remote import Bench, Body, Counting, Planned, ScriptedUpstream, blob
from tests.repo.test_room import take

reactor: Any = installed
DATA = bytes(range(256)) * (12 << 10)  # 3 MiB
SMALL = DATA[:1000]
STEP = 64 << 10


@define
class StallingStore(MemoryStore):
    """A store whose disk stands still while ``running`` is not set."""

    running: threading.Event = field(factory=threading.Event)

    def create(self, length: int | None, about: bytes | None = None) -> MemoryWriter:
        """Begin a blob, when the disk goes on."""
        self.running.wait(60)
        made = super().create(length, about)
        return StallingWriter(self, made._descriptor, about)

    def accept(self, sha256: str, descriptor: int, *, claim: bool = False) -> Any:
        """Publish, when the disk goes on."""
        self.running.wait(60)
        return super().accept(sha256, descriptor, claim=claim)


class StallingWriter(MemoryWriter):
    """Writes when the disk goes on."""

    def write_at(self, offset: int, buffers: Sequence[bytes]) -> None:
        """Write."""
        store: Any = self._store
        store.running.wait(60)
        super().write_at(offset, buffers)


@pytest_twisted.async_yield_fixture
async def made(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A remote with one thread for its disk, which is stuck whenever the disk is."""
    monkeypatch.setattr(lane, "STALL", 0.3)
    store, index, recorder = StallingStore(), MemoryIndex(), Counting()
    store.running.set()
    index.start()
    pools = [WriterPool(reactor, 1) for _ in range(3)]
    for pool in pools:
        pool.start()
    writers, readers, rescue = pools
    room = Room(store, index, writers, rescue, reactor, recorder, Eviction(store, index, readers, recorder))
    parts = Parts(store, index, writers, readers, reactor, recorder, room)
    settings = RepositorySettings(key="r", rclass="remote", url="https://upstream.example")
    upstream, planned = ScriptedUpstream(), Planned()
    remote = Remote(settings, planned, upstream, parts, Shelf(parts))
    yield Bench(remote, upstream, reactor, store, index, planned, recorder, parts)
    store.running.set()
    await until(lambda: len(remote.flights) == 0)
    await remote.close()
    parts.parking.close()
    room.close()
    for pool in pools:
        pool.stop()


async def until(holds: Any) -> None:
    """Wait, a while."""
    for _ in range(2000):
        if holds():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it did not happen")


def disk(made: Bench) -> threading.Event:
    """Set while it runs."""
    store: Any = made.store
    running: threading.Event = store.running
    return running


async def fetched(made: Bench, data: bytes, stop_at: int) -> bytes:
    """What a client gets of a body in whose middle the disk stops."""
    got = made.resolve(blob(data, f"p{stop_at}"))
    await until(lambda: made.upstream._waiting)
    body = made.upstream.answer(200, Body(len(data)))
    await until(lambda: body.consumer is not None)
    taken = b""
    for offset in range(0, len(data), STEP):
        if offset >= stop_at:
            disk(made).clear()
        body.send(data[offset : offset + STEP])
        await deferLater(reactor, 0.002)
        if got:
            taken += take(got[0].readable, len(taken))
    if stop_at >= len(data):
        disk(made).clear()
    body.end()
    await until(lambda: got)
    readable = got[0].readable
    while not readable.complete:
        assert readable.failed is None, readable.failed
        taken += take(readable, len(taken))
        await deferLater(reactor, 0.01)
    taken += take(readable, len(taken))
    readable.release()
    return taken


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("data", "stop_at"), [(DATA, 0), (DATA, len(DATA) // 2), (DATA, len(DATA)), (SMALL, len(SMALL))])
async def test_a_disk_that_stalls_in_a_body(made: Bench, data: bytes, stop_at: int) -> None:
    """The client has all of it while the disk stands still; nothing of it is kept; then the disk is used again."""
    assert await fetched(made, data, stop_at) == data
    assert not disk(made).is_set()
    await until(lambda: made.parts.room.trouble is not None)
    assert await fetched(made, data[::-1], 1) == data[::-1]
    disk(made).set()
    assert await made.parts.room.probe()
    before = len(list(made.store.each()))
    got = made.resolve(blob(b"after"))
    await until(lambda: made.upstream._waiting)
    body = made.upstream.answer(200, Body(5))
    await until(lambda: body.consumer is not None)
    body.send(b"after")
    body.end()
    await until(lambda: got)
    got[0].readable.release()
    assert len(list(made.store.each())) == before + 1


@pytest_twisted.ensureDeferred
async def test_a_disk_that_stalls_before_a_body(made: Bench) -> None:
    """No spool can be made: after a moment the body passes through, and further ones do so at once."""
    disk(made).clear()
    assert await fetched(made, DATA, 1 << 30) == DATA
    assert made.parts.room.trouble is not None
    disk(made).set()
    assert await made.parts.room.probe()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("late", [False, True])
async def test_a_disk_that_stalls_under_two_connections(made: Bench, *, late: bool) -> None:
    """Both are cut, one brings the rest past the disk; a thread that comes to later changes nothing."""
    data = DATA * 5
    got, far = made.resolve(blob(data, "far")), Span(12 << 20, 13 << 20)
    await until(lambda: made.upstream._waiting)
    first = made.upstream.answer(200, Body(len(data)), etag='"v1"', accept_ranges="bytes")
    await until(lambda: got)
    readable = got[0].readable
    readable.watch(lambda: None, far, early=True)
    await until(lambda: made.upstream._waiting)
    second = made.upstream.answer(206, Body(len(far)), content_range=f"bytes {far.start}-{far.stop - 1}/{len(data)}", etag='"v1"')
    await until(lambda: first.consumer is not None and second.consumer is not None)
    first.send(data[:STEP])
    await until(lambda: readable.reach(0) == STEP)
    disk(made).clear()
    second.send(data[far.start : far.start + STEP])
    first.send(data[STEP : 2 * STEP])
    await until(lambda: made.upstream._waiting)
    assert first.aborted
    assert second.aborted
    if late:
        disk(made).set()
    assert made.upstream.questions[-1].headers.first("range") == f"bytes={STEP}-"
    content_range = f"bytes {STEP}-{len(data) - 1}/{len(data)}"
    rest = made.upstream.answer(206, Body(len(data) - STEP), content_range=content_range, etag='"v1"')
    await until(lambda: rest.consumer is not None)
    taken = take(readable, 0)
    for offset in range(STEP, len(data), STEP):
        rest.send(data[offset : offset + STEP])
        await deferLater(reactor, 0.002)
        taken += take(readable, len(taken))
    rest.end()
    await until(lambda: readable.complete or readable.failed)
    assert taken + take(readable, len(taken)) == data
    assert readable.complete
    readable.release()
    disk(made).set()
    await until(lambda: not list(made.store.left()) and made.parts.room.live() == 0)
    assert list(made.store.each()) == []
