"""Who is given room, what goes for it, and what stays: seen without sockets or disks."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred

from regproxy.errors import Kind, RegproxyError
from regproxy.model.head import Head
from regproxy.model.node import Node
from regproxy.repo.room import reserve_of
from regproxy.store.memory import MemoryStore, MemoryWriter
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.lane import STALL
from tests.conformance.store import name_of, read, stored
from tests.fakes.remote import BIG, Bench, Body, InlinePool, bench, blob, content

KIB = 1 << 10


def hold(made: Bench, body: bytes, *paths: str, repository: str = "r", origin: str = "https://a/") -> str:
    """Store a body at paths; each is used a second later than the last."""
    name = stored(made.store, body)
    for path in paths:
        made.clock.advance(1)
        now = made.clock.seconds()
        node = Node(repository, path, name, len(body), Head(len(body)), created=now, modified=now, checked=now, origin=origin)
        made.index.put(node, synced=True)
    return name


def writer(made: Bench, length: int | None) -> EnduringWriter:
    """Ask for one."""
    got: list[Any] = []
    store, room = made.store, made.parts.room
    asked = room.writer(made.remote.settings, length, lambda: store.create(length), whole=False)
    Deferred.fromCoroutine(asked).addBoth(got.append)
    assert isinstance(got[0], EnduringWriter), got
    return got[0]


def is_kept(given: EnduringWriter) -> bool:
    """Whether it has a spool; it is given back."""
    kept = given.window is None
    given.abort()
    if given.window is not None:
        given.window.close()
    return kept


def test_the_least_recently_used_goes_for_what_comes() -> None:
    """As much as is needed and no more; blob, row and every node of it."""
    made = bench()
    made.parts.room.limit = 300 * KIB
    old, young = hold(made, b"o" * 100 * KIB, "old", "old-too"), hold(made, b"y" * 100 * KIB, "young")
    made.clock.advance(1)
    made.index.used("r", "old", old, made.clock.seconds())
    assert is_kept(writer(made, 100 * KIB))
    assert made.recorder.evictions == []
    assert is_kept(writer(made, 150 * KIB))
    assert made.recorder.evictions == [("space", 100 * KIB)]
    assert read(made.store, young) is None
    assert [node.path for node in made.index.nodes("r")] == ["old", "old-too"]


def test_live_fills_count() -> None:
    """What has room already is not given to the next; a body that has ended gives it back."""
    made = bench()
    made.parts.room.limit = 300 * KIB
    first = writer(made, 200 * KIB)
    assert made.parts.room.live() == 200 * KIB
    assert not is_kept(writer(made, 200 * KIB))
    first.abort()
    assert made.parts.room.live() == 0
    assert is_kept(writer(made, 200 * KIB))


def test_what_is_cached_goes_for_uploads() -> None:
    """Only where the disk lacks room; what even an empty cache would not make room for is refused, and nothing goes."""
    made = bench()
    hold(made, b"o" * 100 * KIB, "old")
    hold(made, b"y" * 100 * KIB, "young")
    made.parts.room.limit = 200 * KIB
    free = made.store.space().free - reserve_of(made.store.space())
    for length, paths in ((50 * KIB, ["old", "young"]), (free + 50 * KIB, ["young"])):
        assert not ask_for(made, length)
        assert paths == [node.path for node in made.index.nodes("r")]
    (refused,) = ask_for(made, 1 << 50)
    assert (Kind.NO_ROOM, True) == (refused.kind, str(1 << 50) in refused.text)
    assert ["young"] == [node.path for node in made.index.nodes("r")]


def ask_for(made: Bench, length: int) -> list[RegproxyError]:
    """Ask for room for an upload: how that went wrong."""
    failed: list[Any] = []
    Deferred.fromCoroutine(made.parts.room.make(length)).addErrback(failed.append)
    return [failure.value for failure in failed]


def test_nothing_goes_in_vain() -> None:
    """Where even all that may go is not enough, nothing goes."""
    made = bench()
    made.parts.room.limit = 300 * KIB
    hold(made, b"p" * 200 * KIB, "pinned")
    made.index.pin("r", "pinned", pinned=True)
    loose = hold(made, b"l" * 50 * KIB, "loose")
    assert not is_kept(writer(made, 150 * KIB))
    assert not is_kept(writer(made, 400 * KIB))
    assert read(made.store, loose) is not None
    assert made.recorder.passed == 2
    assert made.parts.room.trouble is None


def test_local_content_stays() -> None:
    """What came from no upstream is nobody's to evict, and neither is what a repository of local content names."""
    made = bench()
    made.parts.room.limit = 300 * KIB
    hold(made, b"o" * 200 * KIB, "own", origin="")
    assert not is_kept(writer(made, 150 * KIB))
    made.parts.room.eviction.kept = frozenset({"local"})
    shared = hold(made, b"s" * 80 * KIB, "cached")
    hold(made, b"s" * 80 * KIB, "copied", repository="local")
    assert not is_kept(writer(made, 50 * KIB))
    assert read(made.store, shared) is not None


def test_a_repository_stays_within_its_own_limit() -> None:
    """Its nodes go, least recently used first, until it holds little enough; a blob that another one names stays."""
    made = bench(max_bytes="300KiB")
    shared = hold(made, b"s" * 100 * KIB, "shared")
    hold(made, b"s" * 100 * KIB, "elsewhere", repository="other")
    own = hold(made, b"o" * 100 * KIB, "own", "own-too")
    assert is_kept(writer(made, 100 * KIB))
    assert is_kept(writer(made, 150 * KIB))
    assert ["own", "own-too"] == [node.path for node in made.index.nodes("r")]
    assert read(made.store, shared) is not None
    assert is_kept(writer(made, 250 * KIB))
    assert [] == made.index.nodes("r")
    assert read(made.store, own) is None
    assert [node.path for node in made.index.nodes("other")] == ["elsewhere"]
    assert not is_kept(writer(made, 301 * KIB))


def test_a_body_of_unknown_length_may_grow_up_to_the_limit() -> None:
    """Beyond it goes on through a window."""
    made = bench()
    made.parts.room.limit = 100 * KIB
    given = writer(made, None)
    given.write_at(0, [bytes(60 * KIB)])
    assert made.parts.room.live() == 60 * KIB
    given.write_at(60 * KIB, [bytes(60 * KIB)])
    assert made.parts.room.live() == 0
    assert not is_kept(given)


def test_a_blob_that_is_read_goes_without_cutting_its_reader() -> None:
    """The name goes, the bytes stay for whoever has them open."""
    made = bench()
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(BIG)
    body.end()
    made.parts.room.limit = len(BIG)
    made.clock.advance(1)
    assert is_kept(writer(made, len(BIG)))
    assert list(made.store.each()) == []
    assert content(got[0]) == BIG


class LateWriter(MemoryWriter):
    """Sets nothing aside before it is written to, as on a disk."""

    due = 500 * KIB


class LateStore(MemoryStore):
    """A store of such writers."""

    def create(self, length: int | None, about: bytes | None = None) -> MemoryWriter:
        """Begin a blob."""
        return LateWriter(self, super().create(None)._descriptor, about)


def test_what_is_promised_is_not_free() -> None:
    """A body whose bytes are not there yet, nor set aside, needs them still: the next has to have others."""
    made = bench(store=LateStore(capacity=1000 * KIB))
    hold(made, b"o" * 400 * KIB, "old")
    first = writer(made, 500 * KIB)
    assert [] == made.recorder.evictions
    assert is_kept(writer(made, 300 * KIB))
    assert [("space", 400 * KIB)] == made.recorder.evictions
    assert is_kept(first)
    assert 0 == made.parts.room.lacking(900 * KIB)


class FailingWriter(MemoryWriter):
    """Takes no byte beyond what its store allows."""

    def write_at(self, offset: int, buffers: Any) -> None:
        """Write, or fail as the disk would."""
        failing = self._store
        assert isinstance(failing, FailingStore)
        if failing.code and offset + sum(map(len, buffers)) > failing.beyond:
            raise OSError(failing.code, os.strerror(failing.code))
        super().write_at(offset, buffers)


@define
class FailingStore(MemoryStore):
    """A store whose disk fails when the test says so."""

    code: int = 0
    beyond: int = 0
    at_commit: bool = False
    at_create: bool = False
    created: int = field(default=0, init=False)

    def create(self, length: int | None, about: bytes | None = None) -> MemoryWriter:
        """Begin a blob, or not."""
        if self.code and self.at_create:
            raise OSError(self.code, os.strerror(self.code))
        self.created += 1
        made = super().create(length, about)
        return FailingWriter(self, made._descriptor, about)

    def accept(self, sha256: str, descriptor: int, *, claim: bool = False) -> Any:
        """Publish, or not."""
        if self.code and self.at_commit:
            raise OSError(self.code, os.strerror(self.code))
        return super().accept(sha256, descriptor, claim=claim)


CODES = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("where", ["at_create", "at_commit", "middle"])
@pytest.mark.parametrize("size", [100, len(BIG), 40 * len(BIG)])
@pytest.mark.parametrize("known", [True, False])
def test_a_disk_that_fails_costs_only_the_copy(code: int, where: str, size: int, *, known: bool) -> None:
    """The client has every byte, the store none; when the disk is well again, it is stored."""
    store = FailingStore(code=code, beyond=size // 2)
    store.at_create, store.at_commit = where == "at_create", where == "at_commit"
    if where != "middle":
        store.beyond = 1 << 40
    made = bench(store=store)
    data = (BIG * 40)[:size]
    got = made.resolve(blob(data))
    body = made.upstream.answer(200, Body(size if known else None))
    taken = b""
    for offset in range(0, size, 64 * KIB):
        body.send(data[offset : offset + 64 * KIB])
        if got:
            taken += take(got[0].readable, len(taken))
    body.end()
    taken += take(got[0].readable, len(taken))
    assert taken == data
    assert got[0].readable.complete
    got[0].readable.release()
    assert list(store.each()) == []
    assert made.parts.room.trouble is not None
    assert made.parts.room.live() == 0
    store.code = 0
    assert mended(made)
    again = made.resolve(blob(data))
    body = made.upstream.answer(200, Body(size))
    body.send(data)
    body.end()
    assert content(again[0]) == data
    assert [name_of(data)] == [stat.sha256 for stat in store.each()]


@pytest.mark.parametrize("where", ["create", "commit"])
def test_what_the_disk_says_too_late_is_taken_back(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Though it was done before the time was over: no writer stays open, and no blob is claimed for good."""
    made, heard = bench(), list[Callable[[], object]]()
    method = MemoryStore.create if where == "create" else MemoryStore.accept
    done = list[str]()

    def doing(*args: Any, **more: Any) -> Any:
        done.append(where)
        return method(*args, **more)

    def run(_: object, work: Callable[[], Any]) -> "Deferred[Any]":
        before, result = len(done), maybeDeferred(work)
        if len(done) == before:
            return result
        late = Deferred[Any]()
        heard.append(lambda: result.chainDeferred(late))
        return late

    monkeypatch.setattr(MemoryStore, method.__name__, doing)
    monkeypatch.setattr(InlinePool, "run", run)
    free = made.store.space().free
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    made.clock.advance(STALL)
    body.send(BIG)
    body.end()
    made.clock.advance(STALL)
    assert content(got[0]) == BIG
    for hear in heard:  # and of the probe's own
        hear()
    assert made.parts.room.live() == 0
    assert made.store.space().free == free - (0 if where == "create" else len(BIG))
    assert made.store.delete(name_of(BIG)) == (where == "commit")


def take(readable: Any, position: int) -> bytes:
    """Read on as a follower does."""
    taken = b""
    while (stop := readable.reach(position)) > position:
        piece = os.pread(readable.fileno(position), stop - position, position)
        taken += piece
        position += len(piece)
    return taken


def mended(made: Bench) -> bool:
    """Probe the disk."""
    got: list[bool] = []
    Deferred.fromCoroutine(made.parts.room.probe()).addCallback(got.append)
    return got == [True] and made.parts.room.trouble is None
