"""A disk that fails a body whose bytes come in any order: they come again from where they are hashed, and pass through."""

import errno
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.errors import Kind
from regproxy.model.ranges import Span
from regproxy.repo.schedule import MIB
from regproxy.store.memory import MemoryStore
from tests.fakes.remote import BIG, Bench, Body, bench, blob
from tests.repo.test_fill import LARGE, LARGE_BLOB, LARGE_REST, parked
from tests.repo.test_room import CODES, FailingStore, mended, take

DATA = BIG * 64  # 16 MiB
SIZE = len(DATA)
FAR_OFF = Span(12 * MIB, 13 * MIB)


@define
class Reader:
    """Reads on from an offset whenever it may."""

    readable: Any
    position: int = 0
    taken: bytearray = field(factory=bytearray)

    def grown(self) -> None:
        """Read."""
        piece = take(self.readable, self.position)
        self.taken += piece
        self.position += len(piece)


def scattered(code: int) -> tuple[Bench, FailingStore, Reader, Body, Body]:
    """A body of which a far piece has come, and a mebibyte of the beginning, when the disk begins to fail."""
    store = FailingStore()
    made = bench(store=store)
    got = made.resolve(blob(DATA))
    first = made.upstream.answer(200, Body(SIZE), etag='"v1"', accept_ranges="bytes")
    got[0].readable.watch(lambda: None, FAR_OFF, early=True)
    second = answered(made, FAR_OFF)
    reader = Reader(got[0].readable)
    reader.readable.watch(reader.grown)
    second.send(DATA[FAR_OFF.start : FAR_OFF.start + 1000])
    first.send(DATA[:MIB])
    store.code = code
    return made, store, reader, first, second


def answered(made: Bench, span: Span, etag: str = '"v1"') -> Body:
    """Answer the oldest question with the part that it asks for."""
    last = "" if span.stop == SIZE else span.stop - 1
    assert made.upstream.questions[-1].headers.first("range") == f"bytes={span.start}-{last}"
    return made.upstream.answer(206, Body(len(span)), content_range=f"bytes {span.start}-{span.stop - 1}/{SIZE}", etag=etag)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("ahead", [True, False])
def test_the_rest_passes_through(code: int, *, ahead: bool) -> None:
    """Whichever connection meets it first: both are cut, one goes on, the reader has every byte, and nothing is kept."""
    made, store, reader, first, second = scattered(code)
    if ahead:
        second.send(DATA[FAR_OFF.start + 1000 : FAR_OFF.stop])
    else:
        first.send(DATA[MIB : 2 * MIB])
    assert first.aborted
    assert second.aborted
    assert len(made.upstream.questions) == 3
    rest = answered(made, Span(MIB, SIZE))
    for at in range(MIB, SIZE, MIB // 4):
        rest.send(DATA[at : at + MIB // 4])
    rest.end()
    assert bytes(reader.taken) == DATA
    assert reader.readable.complete
    reader.readable.release()
    assert list(store.each()) == []
    assert store.left() == []
    assert made.parts.room.trouble is not None
    assert made.parts.room.live() == 0
    store.code = 0
    assert mended(made)


def test_another_body_is_not_spliced() -> None:
    """Upstream has another one by now: the reader is cut, and has none of it."""
    made, _, reader, first, _ = scattered(errno.EIO)
    first.send(DATA[MIB : 2 * MIB])
    wrong = answered(made, Span(MIB, SIZE), '"v2"')
    assert wrong.aborted
    assert reader.readable.failed.kind is Kind.UPSTREAM_BAD
    assert bytes(reader.taken) == DATA[:MIB]
    reader.readable.release()


def test_rotten_bytes_are_not_let_go() -> None:
    """What comes again is verified with what was hashed before."""
    made, _, reader, first, _ = scattered(errno.ENOSPC)
    first.send(DATA[MIB : 2 * MIB])
    rest = answered(made, Span(MIB, SIZE))
    for at in range(MIB, SIZE, MIB // 4):
        rest.send(DATA[at : at + MIB // 4] if at < 5 * MIB else bytes(MIB // 4))
    rest.end()
    assert reader.readable.failed.kind is Kind.INTEGRITY
    assert len(reader.taken) < SIZE
    reader.readable.release()


def test_nobody_is_left() -> None:
    """It ends like any body that is not kept, without another request."""
    made, store, reader, first, _ = scattered(errno.ENOSPC)
    first.send(DATA[MIB : 2 * MIB])
    rest = answered(made, Span(MIB, SIZE))
    reader.readable.release()
    made.clock.advance(2)
    assert rest.aborted
    assert len(made.upstream.questions) == 3
    assert list(store.each()) == []
    assert store.left() == []
    assert len(made.remote.flights) == 0


def test_nobody_is_left_before_the_rest_begins() -> None:
    """Its request is withdrawn."""
    made, _, reader, first, _ = scattered(errno.ENOSPC)
    first.send(DATA[MIB : 2 * MIB])
    reader.readable.release()
    made.clock.advance(2)
    assert len(made.remote.flights) == 0


def test_regproxy_stops_while_what_was_parked_is_asked_for() -> None:
    """It waits for no answer; what there is stays for the next start."""
    made = bench(store=FailingStore())
    want = blob(DATA)
    first = made.resolve(want)
    body = made.upstream.answer(200, Body(SIZE), etag='"v1"')
    body.send(DATA[: 2 * MIB])
    body.cut(Kind.UPSTREAM_SLOW)
    for _ in range(6):
        made.clock.advance(60)
        if made.upstream._waiting:
            made.upstream.fail()
    first[0].readable.release()
    assert [left.extents for left in made.store.left()] == [(Span(0, 2 * MIB),)]
    made.resolve(want)
    assert made.upstream.questions[-1].headers.first("range") == f"bytes={2 * MIB}-"
    closed = Deferred.fromCoroutine(made.remote.close())
    assert closed.called
    assert len(made.remote.flights) == 0
    assert [left.extents for left in made.store.left()] == [(Span(0, 2 * MIB),)]


@pytest.mark.parametrize("is_room", [True, False])
def test_regproxy_stops_while_room_is_made_for_what_was_parked(monkeypatch: pytest.MonkeyPatch, *, is_room: bool) -> None:
    """It is not begun with any more, and stays; nor is all of it, for which the end would have to wait."""
    made = parked()
    made.parts.room._turn.acquire()
    made.resolve(LARGE_BLOB)
    made.upstream.answer(206, Body(len(LARGE) - 100_000), content_range=LARGE_REST, etag='"v1"')
    closed, asked = Deferred.fromCoroutine(made.remote.close()), len(made.upstream.questions)
    if not is_room:
        monkeypatch.setattr(MemoryStore, "resume", lambda *_: None)
    made.parts.room._turn.release()
    assert closed.called
    assert (len(made.remote.flights), len(made.upstream.questions)) == (0, asked)
    assert [left.extents for left in made.store.left()] == [(Span(0, 100_000),)]


def test_an_error_that_is_no_trouble() -> None:
    """It ends the body, at once."""
    made, _, reader, first, second = scattered(errno.EBADF)
    first.send(DATA[MIB : 2 * MIB])
    assert second.aborted
    assert isinstance(reader.readable.failed, OSError)
    assert len(made.upstream.questions) == 2
    reader.readable.release()
