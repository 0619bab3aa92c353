"""Stored blobs that have rotted: what those are sent who ask for them, and what the next one is."""

import errno
import hashlib
import os
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from regproxy.model.want import Shape, Want
from regproxy.repo.damage import make_durable
from regproxy.repo.doubts import Reads
from regproxy.repo.interface import Origin
from regproxy.stream.growing import TAIL
from tests.fakes.remote import BIG, SMALL, Bench, Body, bench, blob, content, fetched

SHA = {body: hashlib.sha256(body).hexdigest() for body in (BIG, SMALL)}


def rot(made: Bench, body: bytes) -> None:
    """Turn a bit of a stored body."""
    os.pwrite(made.store._blobs[SHA[body]].descriptor, bytes([body[0] ^ 1]), 0)


def holding(body: bytes, reads: Reads, share: float = 1.0) -> Bench:
    """A remote that holds a body, and looks at what is read as it is told."""
    made = bench()
    fetched(made, blob(body), body).readable.release()
    doubts = made.remote._shelf._doubts
    doubts.reads, doubts.share, doubts._dice = reads, share, lambda: 0.5
    return made


def refill(made: Bench, got: list[object], body: bytes) -> None:
    """The request waits for upstream, gets what is right, and the next one is a hit."""
    assert got == []
    sent = made.upstream.answer(200, Body(len(body)))
    sent.send(body)
    sent.end()
    assert content(got[0]) == body  # type: ignore[arg-type] # content would fail
    (answer,) = made.resolve(blob(body))
    answer.readable.watch(lambda: None)  # a reader, for whom it is checked
    assert (Origin.HIT, body) == (answer.origin, content(answer))


def test_a_small_rotten_blob_is_a_miss() -> None:
    """``always``: nothing of it is sent; upstream is asked in the same request."""
    made = holding(SMALL, "always")
    rot(made, SMALL)
    refill(made, made.resolve(blob(SMALL)), SMALL)
    assert made.recorder.lost == ["damaged"]


def test_the_end_of_a_large_blob_waits_for_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """``always``: two readers share one look, and both are let go by it."""
    made = holding(BIG, "always")
    jobs: list[Deferred[None]] = []

    def later(work: Callable[[], object]) -> "Deferred[object]":
        waiting: Deferred[None] = Deferred()
        jobs.append(waiting)
        return waiting.addCallback(lambda _: work())

    monkeypatch.setattr(made.remote._parts.readers, "run", later)
    first = made.resolve(blob(BIG))[0]
    assert jobs == []
    first.readable.watch(lambda: None)
    second = made.resolve(blob(BIG))[0]
    second.readable.watch(lambda: None)
    assert [len(BIG) - TAIL] * 2 == [answer.readable.reach(0) for answer in (first, second)]
    assert len(jobs) == 1
    jobs[0].callback(None)
    assert [BIG, BIG] == [content(first), content(second)]


def test_a_large_rotten_blob_is_cut() -> None:
    """``always``: its end is never let go; it goes into quarantine, and the next request is right."""
    made = holding(BIG, "always")
    rot(made, BIG)
    (answer,) = made.resolve(blob(BIG))
    answer.readable.watch(lambda: None)
    assert (False, len(BIG) - TAIL) == (answer.readable.complete, answer.readable.reach(0))
    assert answer.readable.failed is not None
    answer.readable.release()
    refill(made, made.resolve(blob(BIG)), BIG)


def test_it_has_gone_when_its_readers_are_cut() -> None:
    """``always``: whoever is cut off and asks again at once does not meet the same bytes."""
    made = holding(BIG, "always")
    rot(made, BIG)
    (answer,) = made.resolve(blob(BIG))
    readable = answer.readable
    there: list[bool] = []

    def changed() -> None:
        there.append(made.remote._parts.store.open(SHA[BIG]) is not None)

    readable.watch(changed)
    assert readable.failed is not None
    assert there == [False]


def test_a_sample_is_looked_at_behind_the_read() -> None:
    """``sampled``: who has drawn the lot is served as ever; the look behind him finds the rot."""
    made = holding(BIG, "sampled", share=0.6)
    made.resolve(blob(BIG))[0].readable.release()
    made.clock.advance(1)  # a sample has a pace
    assert made.recorder.checked == [len(BIG)]
    rot(made, BIG)
    made.resolve(blob(BIG))[0].readable.release()
    made.clock.advance(1)
    assert made.recorder.lost == ["damaged"]
    refill(made, made.resolve(blob(BIG)), BIG)


def test_what_is_stored_anew_behind_a_look_stays() -> None:
    """Somebody has brought the right bytes while the wrong ones were read through."""
    made = holding(BIG, "sampled")
    rot(made, BIG)
    made.resolve(blob(BIG))[0].readable.release()
    writer = made.store.create(len(BIG))
    writer.write_at(0, [BIG])
    writer.commit(SHA[BIG], durable=True)
    made.clock.advance(1)
    assert made.recorder.lost == []
    (answer,) = made.resolve(blob(BIG))
    assert (Origin.HIT, BIG) == (answer.origin, content(answer))


def test_others_are_not_looked_at() -> None:
    """``sampled``: the lot decides."""
    made = holding(BIG, "sampled", share=0.4)
    rot(made, BIG)
    made.resolve(blob(BIG))[0].readable.release()
    assert (made.recorder.checked, made.recorder.lost) == ([], [])


@pytest.mark.parametrize("good", [True, False])
def test_a_doubt_is_looked_into(*, good: bool) -> None:
    """A reader that got no bytes says so; a blob that is right all the same stays."""
    made = holding(BIG, "off")
    (answer,) = made.resolve(blob(BIG))
    if not good:
        rot(made, BIG)
    answer.readable.doubt()
    answer.readable.release()
    made.clock.advance(1)
    assert made.recorder.lost == ([] if good else ["damaged"])


def test_a_rotten_document_is_fetched_anew() -> None:
    """Documents are read as a whole: those that are longer than the tail wait for the verdict too."""
    made = holding(BIG, "always")
    (answer,) = made.resolve(blob(BIG))
    got: list[object] = []
    Deferred.fromCoroutine(made.remote._shelf.parse(answer, 1 << 30, bytes)).addBoth(got.append)
    assert got == [BIG]


def test_what_cannot_be_opened_is_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails at the name is no 500."""
    made = holding(BIG, "off")

    def broken(_: str) -> None:
        raise OSError(5, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(type(made.store), "open", lambda _, sha256: broken(sha256))
        got = made.resolve(Want("a/b", Shape.BLOB))
    refill(made, got, BIG)


def test_what_cannot_be_synced_is_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says once that bytes were not written: they are not believed again."""
    made = bench()

    def broken(_: object, sha256: str) -> None:
        raise OSError(5, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(type(made.store), "sync", broken)
        got = made.resolve(blob(BIG))
        body = made.upstream.answer(200, Body(len(BIG)))
        body.send(BIG)
        body.end()
        assert content(got[0]) == BIG
    assert (made.recorder.lost, list(made.store.each())) == (["unsynced"], [])
    refill(made, made.resolve(blob(BIG)), BIG)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_process_that_has_used_up_what_it_may_have_condemns_nothing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Ten thousand clients took all descriptors: that says nothing of a blob. Who asks now is refused, who asks later has it."""
    made = holding(BIG, "off")

    def used_up(*_: object) -> None:
        raise OSError(number, "used up")

    with monkeypatch.context() as patch:
        patch.setattr(type(made.store), "open", used_up)
        (failure,) = made.resolve(blob(BIG))
        failure.trap(OSError)
        patch.setattr(type(made.store), "sync", used_up)
        Deferred.fromCoroutine(make_durable(made.parts, SHA[BIG]))
    assert [] == made.recorder.lost
    (answer,) = made.resolve(blob(BIG))
    assert BIG == content(answer)
