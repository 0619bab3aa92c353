"""Several connections of one fill, seen without sockets: what is asked for, and what becomes of it when that goes wrong."""

from typing import Any

import pytest
from twisted.internet.task import Clock

from regproxy.errors import Kind, RegproxyError
from regproxy.model.ranges import Span
from regproxy.repo.schedule import FAR, MIB
from regproxy.repo.spare import SpareConnections
from tests.fakes.remote import BIG, Bench, Body, bench, blob, content

DATA = BIG * 64  # 16 MiB
SIZE = len(DATA)
WANT = blob(DATA)
FAR_OFF = Span(12 * MIB, 13 * MIB)


def watched(made: Bench, span: Span = FAR_OFF, **headers: str) -> tuple[Any, Body]:
    """A fill with one connection, and a client that reads a span of it."""
    got = made.resolve(WANT)
    body = made.upstream.answer(200, Body(SIZE), etag='"v1"', **{"accept_ranges": "bytes", **headers})
    got[0].readable.watch(lambda: None, span, early=True)
    return got[0], body


def ranges(made: Bench) -> list[str | None]:
    """What was asked for."""
    return [question.headers.first("range") for question in made.upstream.questions]


def part(made: Bench, span: Span, etag: str = '"v1"', status: int = 206) -> Body:
    """Answer the oldest question with a part."""
    content_range = f"bytes {span.start}-{span.stop - 1}/{SIZE}"
    return made.upstream.answer(status, Body(len(span)), content_range=content_range, etag=etag)


def send(body: Body, span: Span) -> None:
    """Send bytes, in pieces."""
    for at in range(span.start, span.stop, MIB):
        body.send(DATA[at : min(span.stop, at + MIB)])


def test_a_far_range_comes_by_a_second_connection() -> None:
    """The first one is cut where the other has begun, and what is behind that is asked for: each byte once."""
    made = bench()
    answer, first = watched(made)
    assert ranges(made) == [None, f"bytes={FAR_OFF.start}-{FAR_OFF.stop - 1}"]
    second = part(made, FAR_OFF)
    send(second, FAR_OFF)
    second.end()
    assert answer.readable.reach(FAR_OFF.start, early=True) == FAR_OFF.stop
    assert len(ranges(made)) == 2
    send(first, Span(0, FAR_OFF.start))
    assert first.aborted
    assert ranges(made)[2:] == [f"bytes={FAR_OFF.stop}-"]
    third = part(made, Span(FAR_OFF.stop, SIZE))
    send(third, Span(FAR_OFF.stop, SIZE))
    third.end()
    assert content(answer) == DATA


def test_a_near_range_waits() -> None:
    """The first connection is there as soon."""
    made = bench()
    answer, first = watched(made, Span(FAR, FAR + 10))
    assert len(ranges(made)) == 1
    send(first, Span(0, SIZE))
    first.end()
    assert content(answer) == DATA


def test_a_continuation_is_not_waited_for_as_a_first_answer() -> None:
    """Clients wait in the middle of a body: as long as for its next bytes."""
    made = bench(socket_timeout_millis=1500)
    made.resolve(WANT)
    body = made.upstream.answer(200, Body(SIZE), etag='"v1"')
    send(body, Span(0, 4 * MIB))
    body.cut()
    made.clock.advance(1.0)
    assert [question.patience for question in made.upstream.questions] == [120.0, 1.5]


@pytest.mark.parametrize(("retry_after", "waits"), [(None, [0.5, 1, 2, 4, 8]), (30, [0.5, *[30] * 4]), (600, [0.5, *[60] * 4])])
@pytest.mark.parametrize("kind", [Kind.UPSTREAM_DOWN, Kind.UPSTREAM_BUSY])
def test_questions_that_are_refused_at_once_wait_like_others(kind: Kind, retry_after: int | None, waits: list[float]) -> None:
    """An upstream that is left alone takes no time to say so; one question at a time, and after the last one it is over."""
    made = bench()
    got = made.resolve(WANT)
    body = made.upstream.answer(200, Body(SIZE), etag='"v1"')
    send(body, Span(0, 4 * MIB))
    made.upstream.refuses = RegproxyError(kind, "upstream.example:443 is left alone", retry_after=retry_after)
    body.cut()
    for count, wait in enumerate(waits, 1):
        assert len(ranges(made)) == count
        made.clock.advance(wait - 0.01)
        assert len(ranges(made)) == count
        assert got[0].readable.failed is None
        made.clock.advance(0.01)
    assert len(ranges(made)) == 1 + len(waits)
    assert got[0].readable.failed.kind is kind
    made.clock.advance(1000)
    assert len(ranges(made)) == 1 + len(waits)
    got[0].readable.release()


def test_a_second_connection_that_is_refused_at_once() -> None:
    """The first one goes on, and the second is asked for again after a while."""
    made = bench()
    got = made.resolve(WANT)
    body = made.upstream.answer(200, Body(SIZE), etag='"v1"', accept_ranges="bytes")
    made.upstream.refuses = RegproxyError(Kind.UPSTREAM_DOWN, "upstream.example:443 is left alone", retry_after=30)
    got[0].readable.watch(lambda: None, FAR_OFF, early=True)
    assert len(ranges(made)) == 2
    made.clock.advance(30)
    assert len(ranges(made)) == 3
    send(body, Span(0, SIZE))
    body.end()
    made.clock.advance(1000)
    assert len(ranges(made)) == 3
    assert content(got[0]) == DATA


def test_an_upstream_that_says_nothing_of_ranges() -> None:
    """It is not asked for one."""
    made = bench()
    answer, first = watched(made, accept_ranges="none")
    assert len(ranges(made)) == 1
    first.cut()
    answer.readable.release()


@pytest.mark.parametrize(("status", "etag"), [(200, '"v1"'), (206, '"v2"'), (416, '"v1"')])
def test_a_refused_part_harms_nobody(status: int, etag: str) -> None:
    """The first connection brings it all; nobody asks again for ten minutes."""
    made = bench()
    answer, first = watched(made)
    refused = part(made, FAR_OFF, etag, status)
    assert refused.aborted
    send(first, Span(0, SIZE))
    first.end()
    assert content(answer) == DATA
    assert len(ranges(made)) == 2
    other = made.resolve(blob(DATA, "c"))
    body = made.upstream.answer(200, Body(SIZE), etag='"v1"', accept_ranges="bytes")
    other[0].readable.watch(lambda: None, FAR_OFF, early=True)
    assert len(ranges(made)) == 3
    body.cut()
    other[0].readable.release()


def test_after_a_refusal_what_breaks_is_continued() -> None:
    """When there is no connection any more that could bring the rest, it is asked for; refused again, that is the end."""
    made = bench()
    answer, first = watched(made)
    part(made, FAR_OFF, status=416)
    send(first, Span(0, MIB))
    assert len(ranges(made)) == 2
    first.cut()
    made.clock.advance(1)
    assert ranges(made)[2:] == [f"bytes={FAR_OFF.start}-{FAR_OFF.stop - 1}"]
    wanted = part(made, FAR_OFF)
    send(wanted, FAR_OFF)
    wanted.end()
    assert ranges(made)[3:] == [f"bytes={MIB}-{FAR_OFF.start - 1}"]
    part(made, Span(MIB, FAR_OFF.start), status=416)
    assert answer.readable.failed.kind is Kind.UPSTREAM_BAD
    assert len(ranges(made)) == 4
    answer.readable.release()


def test_an_upstream_that_has_enough_is_left_alone() -> None:
    """429, with a time or without one: no fill of the repository asks for a second connection for a while."""
    made = bench()
    answer, first = watched(made)
    made.upstream.answer(429)
    made.clock.advance(1)
    other = made.resolve(blob(DATA, "c"))
    body = made.upstream.answer(200, Body(SIZE), etag='"v1"', accept_ranges="bytes")
    other[0].readable.watch(lambda: None, FAR_OFF, early=True)
    assert ranges(made) == [None, f"bytes={FAR_OFF.start}-{FAR_OFF.stop - 1}", None]
    send(first, Span(0, SIZE))
    first.end()
    assert content(answer) == DATA
    body.cut()
    made.clock.advance(1)
    assert ranges(made)[3:] == [f"bytes={FAR_OFF.start}-{FAR_OFF.stop - 1}"]  # with none at all it is no second one
    other[0].readable.release()
    made.upstream.fail(Kind.UPSTREAM_BAD)


def test_second_connections_are_half_of_what_a_process_may_have() -> None:
    """Each of several processes has its part; who may have one has no second one."""
    clock = Clock()
    for count, processes, spare in [(None, 1, 32), (10, 1, 5), (1, 1, 0), (16, 8, 1), (4, 8, 0), (None, 8, 4)]:
        connections = SpareConnections.of(clock, count, processes)
        assert [connections.take() for _ in range(spare + 1)] == [True] * spare + [False]
        if spare:
            connections.give_back()
            assert connections.take()


def test_a_part_that_breaks_is_asked_for_again() -> None:
    """Only what it has not brought; the first connection goes on meanwhile."""
    made = bench()
    answer, first = watched(made)
    second = part(made, FAR_OFF)
    send(second, Span(FAR_OFF.start, FAR_OFF.start + 1000))
    second.cut()
    send(first, Span(0, MIB))
    assert len(ranges(made)) == 2
    made.clock.advance(1)
    assert ranges(made)[2:] == [f"bytes={FAR_OFF.start + 1000}-{FAR_OFF.stop - 1}"]
    third = part(made, Span(FAR_OFF.start + 1000, FAR_OFF.stop))
    send(third, Span(FAR_OFF.start + 1000, FAR_OFF.stop))
    third.end()
    send(first, Span(MIB, FAR_OFF.start))
    last = part(made, Span(FAR_OFF.stop, SIZE))
    send(last, Span(FAR_OFF.stop, SIZE))
    last.end()
    assert content(answer) == DATA


def test_a_changed_body_is_not_completed() -> None:
    """The first connection breaks, and upstream has another body by now: nothing is spliced, clients are cut."""
    made = bench()
    answer, first = watched(made)
    second = part(made, FAR_OFF)
    send(second, FAR_OFF)
    second.end()
    send(first, Span(0, MIB))
    first.cut()
    made.clock.advance(1)
    part(made, Span(MIB, FAR_OFF.start), '"v2"')
    assert answer.readable.failed is not None
    assert answer.readable.failed.kind is Kind.UPSTREAM_BAD
    answer.readable.release()
    assert made.store.left() == []


def test_who_is_too_late_is_not_followed_by_others() -> None:
    """Upstream is faster than a further connection can be begun: none is begun again for a while."""
    made = bench(segments=4, segment_threshold="1MiB")
    got = made.resolve(WANT)
    first = made.upstream.answer(200, Body(SIZE), etag='"v1"', accept_ranges="bytes")
    for at in range(4):
        send(first, Span(at * MIB // 2, (at + 1) * MIB // 2))
        made.clock.advance(0.2)
    (_, asked) = ranges(made)
    assert asked is not None
    start, stop = (int(number) for number in asked.removeprefix("bytes=").split("-"))
    send(first, Span(2 * MIB, start + MIB))
    late = part(made, Span(start, stop + 1))
    assert late.aborted
    send(first, Span(start + MIB, SIZE))
    first.end()
    assert len(ranges(made)) == 2
    assert content(got[0]) == DATA


def test_only_what_is_asked_for_is_brought() -> None:
    """``fill = "asked"``: the first connection is let go, and what was brought is parked when nobody wants more."""
    made = bench(fill="asked")
    got = made.resolve(WANT)
    first = made.upstream.answer(200, Body(SIZE), etag='"v1"', accept_ranges="bytes")
    reader = lambda: None  # noqa: E731 - a reader that only wants
    got[0].readable.watch(reader, FAR_OFF, early=True)
    assert first.aborted
    second = part(made, FAR_OFF)
    send(second, FAR_OFF)
    second.end()
    got[0].readable.unwatch(reader)
    assert len(ranges(made)) == 2
    got[0].readable.release()
    made.clock.advance(2)
    (left,) = made.store.left()
    assert left.extents == (FAR_OFF,)
