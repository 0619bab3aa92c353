"""How a fill goes on, ends, or is left: seen without sockets."""

import errno
import json

import pytest
from twisted.internet.defer import Deferred

from regproxy.errors import Kind, RegproxyError
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Unavailable
from regproxy.store.memory import MemoryStore, MemoryWriter
from regproxy.stream.lane import STALL
from tests.fakes.remote import BIG, Bench, Body, bench, blob, content
from tests.repo.test_room_trouble import Slow

LARGE = BIG * 8
LARGE_BLOB = blob(LARGE)
LARGE_REST = f"bytes 100000-{len(LARGE) - 1}/{len(LARGE)}"


def test_a_cut_body_is_continued() -> None:
    """Range and If-Range from where it broke off; the clients notice nothing."""
    made = bench()
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)), etag='"v1"')
    body.send(BIG[:100_000])
    body.cut()
    made.clock.advance(1)
    sent = made.upstream.questions[-1].headers
    assert (sent.first("range"), sent.first("if-range")) == ("bytes=100000-", '"v1"')
    rest = made.upstream.answer(
        206, Body(len(BIG) - 100_000), content_range=f"bytes 100000-{len(BIG) - 1}/{len(BIG)}", etag='"v1"'
    )
    rest.send(BIG[100_000:])
    rest.end()
    assert content(got[0]) == BIG


@pytest.mark.parametrize("told", ["by the host's health", "by Retry-After"])
def test_a_resume_waits_as_long_as_it_is_told(told: str) -> None:
    """An upstream that restarts is asked again when it may be back, not given up before."""
    made = bench()
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)), etag='"v1"')
    body.send(BIG[:100_000])
    body.cut()
    made.clock.advance(0.5)
    if told == "by Retry-After":
        made.upstream.answer(503, retry_after="20")
    else:
        made.upstream.fail(retry_after=20)
    made.clock.advance(19.5)
    assert (len(made.upstream.questions), got[0].readable.failed) == (2, None)
    made.clock.advance(0.5)
    rest = made.upstream.answer(
        206, Body(len(BIG) - 100_000), content_range=f"bytes 100000-{len(BIG) - 1}/{len(BIG)}", etag='"v1"'
    )
    rest.send(BIG[100_000:])
    rest.end()
    assert content(got[0]) == BIG


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {}),
        (206, {"content_range": "bytes 99999-262143/262144"}),
        (206, {"content_range": "bytes 100000-262143/262145"}),
        (206, {"content_range": "bytes 100000-262143/262144", "etag": '"v2"'}),
        (416, {}),
    ],
)
def test_nothing_is_spliced(status: int, headers: dict[str, str]) -> None:
    """Another validator, another offset, the whole body: the fill fails."""
    made = bench()
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)), etag='"v1"')
    body.send(BIG[:100_000])
    body.cut()
    made.clock.advance(1)
    refused = made.upstream.answer(status, Body(1), **headers)
    assert refused.aborted
    assert got[0].readable.failed is not None
    got[0].readable.release()
    assert list(made.store.each()) == []


def test_a_cut_behind_the_last_byte_is_none() -> None:
    """Nothing is missing, so nothing is asked for."""
    made = bench()
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)), etag='"v1"')
    body.send(BIG)
    body.cut()
    made.clock.advance(1)
    assert content(got[0]) == BIG
    assert len(made.upstream.questions) == 1


def test_what_cannot_be_identified_is_not_continued() -> None:
    """Without a digest and a strong validator a cut is the end."""
    made = bench()
    got = made.resolve(Want("f", Shape.FILE))
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(BIG[:100_000])
    body.cut()
    assert got[0].readable.failed is not None
    assert len(made.upstream.questions) == 1
    got[0].readable.release()


def test_more_bytes_than_announced_are_refused() -> None:
    """An over-long body is no body."""
    made = bench()
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(BIG)
    body.send(b"more")
    assert body.aborted
    assert got[0].readable.failed is not None
    got[0].readable.release()


def test_an_abandoned_fill_stops_when_its_last_client_leaves() -> None:
    """``landing = "abandon"``; with the default it would go on."""
    made = bench(landing="abandon")
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    got[0].readable.release()
    made.clock.advance(1)
    assert body.aborted
    assert len(made.remote.flights) == 0


def parked(want: Want = LARGE_BLOB, at: int = 100_000, **headers: str) -> Bench:
    """A remote whose last client has left."""
    made = bench(landing="park")
    got = made.resolve(want)
    body = made.upstream.answer(200, Body(len(LARGE)), **headers or {"etag": '"v1"'})
    body.send(LARGE[:at])
    got[0].readable.release()
    made.clock.advance(1)
    assert body.aborted
    assert len(made.remote.flights) == 0
    return made


def go_on(made: Bench, want: Want = LARGE_BLOB) -> None:
    """The next client gets everything, and upstream is asked for the rest only."""
    got = made.resolve(want)
    assert made.upstream.questions[-1].headers.first("range") == "bytes=100000-"
    rest = made.upstream.answer(206, Body(len(LARGE) - 100_000), content_range=LARGE_REST, etag='"v1"')
    assert got[0].readable.reach(0) == 100_000
    rest.send(LARGE[100_000:])
    rest.end()
    assert content(got[0]) == LARGE
    assert made.store.left() == []


def begin_anew(made: Bench, want: Want = LARGE_BLOB) -> None:
    """The next client gets everything, and upstream is asked for all of it."""
    got = made.resolve(want)
    assert made.upstream.questions[-1].headers.first("range") is None
    body = made.upstream.answer(200, Body(len(LARGE)), etag='"v2"')
    body.send(LARGE)
    body.end()
    assert content(got[0]) == LARGE
    assert made.store.left() == []


def restarted(made: Bench, *, clean: bool = True) -> Bench:
    """Another process over what the store has."""
    again = bench(store=made.store)
    if not clean:
        for left in made.store.left():
            writer = made.store.resume(left.name, None)
            assert writer is not None
            writer.keep(durable=False)
    made.store.recover(again.parts.parking.bounds)
    again.parts.parking.load()
    return again


def test_a_parked_fill_goes_on_with_the_next_client() -> None:
    """``landing = "park"``: what was received is not asked for again."""
    go_on(parked())


def test_a_parked_fill_goes_on_after_a_restart() -> None:
    """It is on the disk, with all that has to be known."""
    go_on(restarted(parked()))
    go_on(restarted(parked(), clean=False))


def test_a_parked_fill_without_a_digest() -> None:
    """A strong validator is enough after a clean stop; after another one nothing could tell whether the bytes are right."""
    mutable = Want("a/b", Shape.FILE)
    go_on(restarted(parked(mutable)), mutable)
    begin_anew(restarted(parked(mutable), clean=False), mutable)


def test_a_parked_fill_that_is_not_what_it_was() -> None:
    """The bytes of the prefix are hashed again: if the disk has lost them, nobody completes the artifact."""
    made = parked()
    (left,) = made.store.left()
    writer = made.store.resume(left.name, None)
    assert writer is not None
    writer.write_at(5, [b"?"])
    writer.keep(durable=False)
    made = restarted(made)
    got = made.resolve(LARGE_BLOB)
    rest = made.upstream.answer(206, Body(len(LARGE) - 100_000), content_range=LARGE_REST, etag='"v1"')
    rest.send(LARGE[100_000:])
    rest.end()
    assert isinstance(got[0].readable.failed, RegproxyError)
    assert got[0].readable.failed.kind is Kind.INTEGRITY
    got[0].readable.release()
    assert made.store.left() == []
    begin_anew(made)


def test_a_parked_fill_of_another_upstream_is_not_used() -> None:
    """The repository points elsewhere by now."""
    made = bench(store=parked().store, url="https://other.example")
    made.parts.parking.load()
    begin_anew(made)


def test_a_small_body_is_not_parked() -> None:
    """It is sooner fetched again."""
    made = bench(landing="park")
    got = made.resolve(blob(BIG))
    made.upstream.answer(200, Body(len(BIG)), etag='"v1"').send(BIG[:1000])
    got[0].readable.release()
    made.clock.advance(1)
    assert made.store.left() == []


@pytest.mark.parametrize("how", ["no connection", "503"])
def test_what_is_parked_is_not_begun_with_while_upstream_cannot_be_asked(how: str) -> None:
    """The next client is told when to come again, not sent the beginning of a body; it stays, and is gone on with later."""
    made = parked()
    got = made.resolve(LARGE_BLOB)
    if how == "503":
        made.upstream.answer(503, retry_after="20")
    else:
        made.upstream.fail(retry_after=20)
    assert isinstance(got[0], Unavailable)
    assert (got[0].retry_after, len(made.remote.flights), len(made.parts.parking)) == (20, 0, 1)
    assert made.parts.room.live() == 0
    made.clock.advance(30)
    go_on(made)


def test_a_parked_fill_that_does_not_continue_begins_anew() -> None:
    """Upstream has another body by now: nothing of the old one is used."""
    made = parked()
    got = made.resolve(LARGE_BLOB)
    made.upstream.answer(200, Body(5), etag='"v2"')
    body = made.upstream.answer(200, Body(len(LARGE)), etag='"v2"')
    body.send(LARGE)
    body.end()
    assert content(got[0]) == LARGE


@pytest.mark.parametrize("is_still", [True, False])
def test_a_parked_fill_that_the_disk_does_not_let_go(monkeypatch: pytest.MonkeyPatch, *, is_still: bool) -> None:
    """Upstream has another body by now, which passes through all the same."""
    made = parked()

    def resume(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(MemoryStore, "resume", resume)
    if is_still:
        made.parts.parking._threads = Slow([])  # type: ignore[assignment] # enough of a pool
    got = made.resolve(LARGE_BLOB)
    made.upstream.answer(200, Body(5), etag='"v2"')
    made.clock.advance(STALL)
    body = made.upstream.answer(200, Body(len(LARGE)), etag='"v2"')
    body.send(LARGE)
    body.end()
    assert content(got[0]) == LARGE


@pytest.mark.parametrize("full", [True, False])
def test_a_parked_fill_goes_when_its_artifact_is_stored(monkeypatch: pytest.MonkeyPatch, *, full: bool) -> None:
    """No room to go on with it, or readers of the first attempt still hold it, and then all of it comes: nothing is left."""
    made = parked()
    real = MemoryStore.resume

    def resume(store: MemoryStore, name: str, length: int | None) -> MemoryWriter | None:
        if length is not None and full:
            raise OSError(errno.ENOSPC, "full")
        return None if length is not None else real(store, name, length)

    monkeypatch.setattr(MemoryStore, "resume", resume)
    got = made.resolve(LARGE_BLOB)
    rest = made.upstream.answer(206, Body(len(LARGE) - 100_000), content_range=LARGE_REST, etag='"v1"')
    assert rest.aborted
    body = made.upstream.answer(200, Body(len(LARGE)), etag='"v1"')
    body.send(LARGE)
    body.end()
    assert content(got[0]) == LARGE
    assert made.store.left() == []


def test_a_parked_fill_is_given_up_in_time() -> None:
    """After a day nothing of it is left."""
    made = parked()
    made.clock.advance(24 * 3600 + 1)
    assert made.store.left() == []
    begin_anew(made)


def test_parked_fills_take_a_limited_space() -> None:
    """The oldest one goes."""
    made = parked()
    made.parts.parking.most = 150_000
    other = blob(LARGE, "c")
    got = made.resolve(other)
    made.upstream.answer(200, Body(len(LARGE)), etag='"v1"').send(LARGE[:120_000])
    got[0].readable.release()
    made.clock.advance(1)
    assert [json.loads(left.about)["path"] for left in made.store.left()] == ["c"]


def test_a_fill_that_upstream_cuts_for_good_is_kept() -> None:
    """Whoever asks when it is back gets the rest of it."""
    made = bench()
    got = made.resolve(LARGE_BLOB)
    body = made.upstream.answer(200, Body(len(LARGE)), etag='"v1"')
    body.send(LARGE[:100_000])
    body.cut()
    for _ in range(5):
        made.clock.advance(60)
        made.upstream.fail()
    assert got[0].readable.failed is not None
    got[0].readable.release()
    go_on(made)


def test_a_fill_that_our_own_end_cuts_is_kept() -> None:
    """Whatever is in the air when regproxy stops goes on when it starts again."""
    made = bench()
    got = made.resolve(LARGE_BLOB)
    body = made.upstream.answer(200, Body(len(LARGE)), etag='"v1"')
    body.send(LARGE[:100_000])
    closed: list[object] = []
    Deferred.fromCoroutine(made.remote.close()).addBoth(closed.append)
    assert closed == [None]
    assert body.aborted
    got[0].readable.release()
    go_on(restarted(made))


def test_a_deserted_fill_lands_by_default() -> None:
    """Clients come and go, the fill goes on."""
    made = bench()
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    got[0].readable.release()
    made.clock.advance(10)
    body.send(BIG)
    body.end()
    assert content(made.resolve(blob(BIG))[0]) == BIG


def test_without_storing_it_streams_through() -> None:
    """``storeArtifactsLocally = false`` serves, and keeps nothing."""
    made = bench(store_artifacts_locally=False)
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(BIG)
    body.end()
    assert content(got[0]) == BIG
    assert list(made.store.each()) == []
