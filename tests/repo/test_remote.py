"""What a remote repository answers, seen without sockets."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from regproxy.model.fetch import Probe
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.want import Shape, Want
from regproxy.repo.distrust import SECONDS as DISTRUST_SECONDS
from regproxy.repo.interface import Described, Missing, Origin, Refused, Unavailable
from regproxy.sharing.terms import Terms
from regproxy.stream.flight import Airborne, Flight, Launch
from regproxy.stream.growing import TAIL, GrowingBlob
from regproxy.stream.passing import PassingBlob
from tests.fakes.remote import BIG, SMALL, Body, bench, blob, chunks, content, digest_of, fetched


def test_a_long_body_is_answered_at_its_headers() -> None:
    """Clients are let in before the first byte; the tail waits for the verdict."""
    made = bench()
    got = made.resolve(blob(BIG))
    assert got == []
    body = made.upstream.answer(200, Body(len(BIG)), content_type="application/x")
    (answer,) = got
    assert (answer.origin, answer.head.length, answer.head.media_type) == (Origin.FILL, len(BIG), "application/x")
    body.send(BIG)
    assert answer.readable.reach(0) == len(BIG) - TAIL
    body.end()
    assert content(answer) == BIG
    assert made.recorder.fills == [len(BIG)]


def test_a_hit_asks_nobody() -> None:
    """What is immutable and held is never asked for again."""
    made = bench()
    answer = fetched(made, blob(BIG), BIG)
    assert (answer.origin, content(answer), len(made.upstream.questions)) == (Origin.HIT, BIG, 1)


def test_joiners_share_the_fill() -> None:
    """One question, however many ask while it is answered."""
    made = bench()
    first, second = made.resolve(blob(BIG)), made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(BIG[:100_000])
    third = made.resolve(blob(BIG))
    body.send(BIG[100_000:])
    body.end()
    answers = [first[0], second[0], third[0]]
    assert [answer.origin for answer in answers] == [Origin.FILL, Origin.JOINED, Origin.JOINED]
    assert [content(answer) for answer in answers] == [BIG] * 3
    assert len(made.upstream.questions) == 1


class Finished:
    """Another process has just finished what is asked for first: it is announced and let go before the launch has returned."""

    is_shared = True
    _is_new: bool = True

    def launch(self, launch: "Launch[Any]", terms: Terms[Any]) -> "Launch[Any]":
        """See ``Sharing``."""

        async def run(flight: "Flight[Any]") -> None:
            fd = os.memfd_create("other")
            growing = GrowingBlob.over(fd, None, withheld=False)
            os.close(fd)
            growing.succeed()
            flight.announce(Airborne(Head(), growing))
            growing.release()

        was_new, self._is_new = self._is_new, False
        return run if was_new else launch


def test_what_is_over_before_it_is_joined_is_looked_up() -> None:
    """Its descriptor is closed: nobody may read from it."""
    made = bench(sharing=Finished())
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(BIG)
    body.end()
    assert content(got[0]) == BIG


def test_another_digest_is_another_fill() -> None:
    """Whoever expects other bytes at the same path neither gets those that are on their way nor fails by them."""
    made = bench()
    first = made.resolve(blob(BIG))
    old = made.upstream.answer(200, Body(len(BIG)))
    new = BIG[::-1]
    second = made.resolve(blob(new))
    old.send(BIG)
    assert (len(first), second) == (1, [])
    old.end()
    body = made.upstream.answer(200, Body(len(new)))
    body.send(new)
    body.end()
    assert [content(answer) for answer in (first[0], second[0])] == [BIG, new]


def test_a_wrong_long_body_is_cut_and_not_stored() -> None:
    """Nobody gets its tail, nothing is stored, the next request asks anew, without ranges for a while."""
    made = bench()
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    wrong = b"X" + BIG[1:]
    body.send(wrong)
    body.end()
    (answer,) = got
    assert (answer.readable.complete, type(answer.readable.failed).__name__) == (False, "RegproxyError")
    assert answer.readable.reach(0) < len(BIG)
    answer.readable.release()
    assert (list(made.store.each()), made.recorder.wrong) == ([], 1)
    again = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    assert again[0].resumable is False
    body.send(BIG)
    body.end()
    assert content(again[0]) == BIG


def test_a_prefix_of_wrong_bytes_is_not_completed_by_a_hit() -> None:
    """For ten minutes, also when the right bytes have come meanwhile, and whichever process saw the wrong ones."""
    made = bench()
    made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)))
    body.send(b"X" + BIG[1:])
    body.end()
    assert fetched(made, blob(BIG), BIG).resumable is False
    made.clock.advance(DISTRUST_SECONDS + 1)
    assert made.resolve(blob(BIG))[0].resumable is True
    now = made.clock.seconds()
    made.index.distrust("r", blob(BIG).path, now, now + DISTRUST_SECONDS)
    assert made.resolve(blob(BIG))[0].resumable is False


def test_a_wrong_short_body_is_a_clean_error() -> None:
    """A body no longer than the tail holds its headers until it is verified."""
    made = bench()
    got = made.resolve(blob(SMALL))
    body = made.upstream.answer(200, Body(len(SMALL)))
    body.send(b"smalL")
    assert got == []
    body.end()
    assert [type(answer) for answer in got] == [Unavailable]
    assert got[0].status == 502


def test_an_empty_body_is_stored() -> None:
    """Nothing is an artifact too."""
    made = bench()
    got = made.resolve(blob(b""))
    made.upstream.answer(200, Body(0)).end()
    assert (got[0].origin, content(got[0])) == (Origin.FILL, b"")


@pytest.mark.parametrize(
    ("status", "kind", "ours"),
    [
        (404, Missing, 404),
        (410, Missing, 404),
        (403, Refused, 403),
        (401, Refused, 403),
        (500, Unavailable, 502),
        (429, Unavailable, 429),
    ],
)
def test_refusals_reach_every_waiter_as_what_they_are(status: int, kind: type, ours: int) -> None:
    """An outage is never a 404."""
    made = bench()
    first, second = made.resolve(blob(BIG)), made.resolve(blob(BIG))
    made.upstream.answer(status, retry_after="7")
    assert [type(got[0]) for got in (first, second)] == [kind, kind]
    assert getattr(first[0], "status", 404) == ours
    assert getattr(first[0], "retry_after", 7) in (7, None)


def test_absence_is_believed_for_a_while() -> None:
    """A 404 is answered from memory for thirty seconds; an outage never."""
    made = bench()
    made.resolve(blob(BIG))
    made.upstream.answer(404)
    assert isinstance(made.resolve(blob(BIG))[0], Missing)
    assert len(made.upstream.questions) == 1
    made.clock.advance(31)
    assert made.resolve(blob(BIG)) == []
    made.upstream.fail()
    made.resolve(blob(BIG))
    assert len(made.upstream.questions) == 3


def test_a_stale_copy_stands_in_when_upstream_is_slow() -> None:
    """The latency budget is two seconds; the fetch goes on."""
    made = bench()
    want = Want("doc", Shape.DOCUMENT)
    fetched(made, want, SMALL, etag='"1"').readable.release()
    made.clock.advance(61)
    got = made.resolve(want)
    assert got == []
    made.clock.advance(2)
    assert (got[0].origin, content(got[0])) == (Origin.STALE, SMALL)
    made.upstream.answer(304)
    assert made.resolve(want)[0].origin is Origin.HIT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_stale_copy_stands_in_when_upstream_fails(status: int) -> None:
    """What is cached is served, whatever an upstream's trouble is."""
    made = bench()
    want = Want("doc", Shape.FILE)
    fetched(made, want, SMALL).readable.release()
    made.clock.advance(61)
    got = made.resolve(want)
    made.upstream.answer(status)
    assert (got[0].origin, content(got[0])) == (Origin.STALE, SMALL)


def test_revalidation_is_conditional() -> None:
    """Upstream's validators are sent, and a 304 makes the copy fresh."""
    made = bench()
    want = Want("doc", Shape.FILE)
    fetched(made, want, SMALL, etag='W/"1"', last_modified="Sat, 01 Jan 2000 00:00:00 GMT").readable.release()
    made.clock.advance(61)
    got = made.resolve(want)
    sent = made.upstream.questions[-1].headers
    assert (sent.first("if-none-match"), sent.first("if-modified-since")) == ('W/"1"', "Sat, 01 Jan 2000 00:00:00 GMT")
    made.upstream.answer(304)
    assert (got[0].origin, content(got[0])) == (Origin.HIT, SMALL)


def test_a_probe_asks_by_head() -> None:
    """Where a GET costs more, a HEAD says whether anything changed."""
    made = bench()
    want = Want("tag", Shape.DOCUMENT)
    made.format.change = lambda fetch: evolve(
        fetch, probe=Probe(Headers(), lambda head, hops: hops[-1].headers.first("x-id") == "same")
    )
    fetched(made, want, SMALL).readable.release()
    made.clock.advance(61)
    got = made.resolve(want)
    assert made.upstream.questions[-1].method == "HEAD"
    made.upstream.answer(200, x_id="same")
    assert content(got[0]) == SMALL
    made.clock.advance(61)
    got = made.resolve(want)
    made.upstream.answer(200, x_id="other")
    assert made.upstream.questions[-1].method == "GET"
    body = made.upstream.answer(200, Body(3))
    body.send(b"new")
    body.end()
    assert content(got[0]) == b"new"


def test_a_probe_that_is_put_off_is_not_followed_by_a_get() -> None:
    """An upstream that limits our rate is not asked twice; the stale copy stands in."""
    made = bench()
    want = Want("tag", Shape.DOCUMENT)
    fetched(made, want, SMALL).readable.release()
    made.format.change = lambda fetch: evolve(fetch, probe=Probe(Headers(), lambda _head, _hops: True))
    made.clock.advance(61)
    got = made.resolve(want)
    made.upstream.answer(429)
    assert (got[0].origin, content(got[0]), len(made.upstream.questions)) == (Origin.STALE, SMALL, 2)


def test_head_of_a_miss_is_upstreams_head() -> None:
    """No body is fetched for it."""
    made = bench()
    got = made.resolve(blob(BIG, body=False))
    assert made.upstream.questions[-1].method == "HEAD"
    made.upstream.answer(200, content_length="262144")
    assert (type(got[0]), got[0].head.length, len(made.remote.flights)) == (Described, 262144, 0)


def test_head_falls_back_to_a_range_of_one_byte() -> None:
    """Some upstreams refuse HEAD where they allow GET."""
    made = bench()
    got = made.resolve(blob(BIG, body=False))
    made.upstream.answer(403)
    assert made.upstream.questions[-1].headers.first("range") == "bytes=0-0"
    made.upstream.answer(206, Body(1), content_range="bytes 0-0/262144")
    assert (type(got[0]), got[0].head.length) == (Described, 262144)


def test_a_web_page_in_place_of_an_artifact_is_refused() -> None:
    """A captive portal's page is never stored."""
    made = bench()
    got = made.resolve(Want("file.bin", Shape.FILE))
    body = made.upstream.answer(200, Body(len(BIG)), content_type="text/html; charset=utf-8")
    assert (type(got[0]), got[0].status, body.aborted) == (Unavailable, 502, True)


def test_patterns_decide_first() -> None:
    """An excluded path is refused without a question."""
    made = bench(excludes_pattern="a/**")
    (answer,) = made.resolve(blob(BIG))
    assert (type(answer), answer.status, made.upstream.questions) == (Refused, 403, [])


def test_a_lost_blob_is_a_miss() -> None:
    """A row without its blob is fetched again."""
    made = bench()
    fetched(made, blob(BIG), BIG).readable.release()
    made.store.delete(digest_of(BIG).hex)
    assert made.resolve(blob(BIG)) == []
    assert len(made.upstream.questions) == 2


def test_a_stale_copy_does_not_wait_for_a_doubtful_upstream() -> None:
    """While an outage lasts, asking whether it is over costs no client anything."""
    made = bench()
    want = Want("doc", Shape.DOCUMENT)
    fetched(made, want, SMALL).readable.release()
    made.clock.advance(61)
    made.upstream.doubtful = True
    got = made.resolve(want)
    made.clock.advance(0)
    assert (got[0].origin, content(got[0]), len(made.upstream.questions)) == (Origin.STALE, SMALL, 2)


def test_the_budget_counts_from_the_question() -> None:
    """Who joins a question that has been open for longer than the budget has the stale copy at once."""
    made = bench()
    want = Want("doc", Shape.DOCUMENT)
    fetched(made, want, SMALL).readable.release()
    made.clock.advance(61)
    made.resolve(want)
    made.clock.advance(1.5)
    second = made.resolve(want)
    made.clock.advance(0.5)
    third = made.resolve(want)
    made.clock.advance(0)
    assert [got[0].origin for got in (second, third)] == [Origin.STALE, Origin.STALE]


@pytest.mark.parametrize("length", [None, len(BIG)])
def test_a_body_that_cannot_be_continued_ends_where_it_was_left(length: int | None) -> None:
    """A client that comes while its last bytes are written finds no way to the rest: he is cut, and nothing is stored."""
    made = bench(landing="abandon")
    want = Want("a/b", Shape.FILE)
    first = made.resolve(want)
    body = made.upstream.answer(200, Body(length))
    for chunk in chunks(BIG)[:10]:
        body.send(chunk)
    pool: Any = made.parts.writers
    at_once, waiting = pool.run, []

    def later(work: Callable[[], object]) -> "Deferred[object]":
        done: Deferred[object] = Deferred()
        waiting.append(lambda: at_once(work).chainDeferred(done))
        return done

    pool.run = later
    body.send(b"and a little more")
    first[0].readable.release()
    made.clock.advance(2.0)
    second = made.resolve(want)
    pool.run = at_once
    waiting.pop()()
    readable = second[0].readable
    assert (body.aborted, len(made.upstream.questions), waiting) == (True, 1, [])
    assert (readable.complete, readable.failed is not None, made.index.node("r", "a/b")) == (False, True, None)
    readable.release()


def test_a_body_for_which_there_is_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs none, and no room either: that passes."""
    made = bench()
    with monkeypatch.context() as patch:
        patch.setattr(PassingBlob, "over", _used_up)
        got = made.resolve(blob(BIG))
        body = made.upstream.answer(200, Body(len(BIG)))
    assert isinstance(got[0], Unavailable)
    assert (body.aborted, made.parts.room.live(), made.store.space().free) == (True, 0, made.store.capacity)


def _used_up(*_: object, **__: object) -> None:
    raise OSError(errno.EMFILE, "used up")
