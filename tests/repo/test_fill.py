"""How a fill goes on, ends, or is left: seen without sockets."""

import pytest

from regproxy.model.want import Shape, Want
from tests.fakes.remote import BIG, Bench, Body, bench, blob, content


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


def parked() -> Bench:
    """A remote whose last client has left at 100 000 bytes."""
    made = bench(landing="park")
    got = made.resolve(blob(BIG))
    body = made.upstream.answer(200, Body(len(BIG)), etag='"v1"')
    body.send(BIG[:100_000])
    got[0].readable.release()
    made.clock.advance(1)
    assert body.aborted
    assert len(made.remote.flights) == 0
    return made


def test_a_parked_fill_goes_on_with_the_next_client() -> None:
    """``landing = "park"``: what was received is not asked for again."""
    made = parked()
    got = made.resolve(blob(BIG))
    assert made.upstream.questions[-1].headers.first("range") == "bytes=100000-"
    rest = made.upstream.answer(
        206, Body(len(BIG) - 100_000), content_range=f"bytes 100000-{len(BIG) - 1}/{len(BIG)}", etag='"v1"'
    )
    assert got[0].readable.reach(0) == 100_000
    rest.send(BIG[100_000:])
    rest.end()
    assert content(got[0]) == BIG


def test_a_parked_fill_that_does_not_continue_begins_anew() -> None:
    """Upstream has another body by now: nothing of the old one is used."""
    made = parked()
    got = made.resolve(blob(BIG))
    made.upstream.answer(200, Body(5), etag='"v2"')
    body = made.upstream.answer(200, Body(len(BIG)), etag='"v2"')
    body.send(BIG)
    body.end()
    assert content(got[0]) == BIG


def test_a_parked_fill_is_given_up_in_time() -> None:
    """After a quarter of an hour nothing of it is left."""
    made = parked()
    made.clock.advance(901)
    made.resolve(blob(BIG))
    assert made.upstream.questions[-1].headers.first("range") is None


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
