"""A body line by line: each as it was sent, paused when its reader is slow, and never more than it may be."""

from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.lines import AHEAD, Lines
from regproxy.stream.skipping import Skipping
from tests.stream.test_capped import Body, Stopping, Taker


def begun(limit: int = 1000) -> tuple[Lines, Body, Stopping]:
    """Lines of a body that has begun."""
    lines, body, producer = Lines(limit), Body(), Stopping()
    lines.read(body)
    lines.start(cast(IPushProducer, producer))
    return lines, body, producer


def waiting(lines: Lines) -> Deferred[Any]:
    """Ask for the next line."""
    return Deferred.fromCoroutine(lines.next())


@pytest_twisted.ensureDeferred
async def test_lines_of_any_pieces() -> None:
    """However the bytes come, and with or without an end of the last line."""
    lines, body, _ = begun()
    for piece in (b"on", b"e\ntwo\n\nth", b"ree"):
        lines.write(piece)
    body.done.callback(None)
    assert [await lines.next() for _ in range(5)] == [b"one", b"two", b"", b"three", None]


@pytest_twisted.ensureDeferred
async def test_a_reader_that_waits() -> None:
    """He gets the line when it is complete."""
    lines, body, _ = begun()
    asked = waiting(lines)
    lines.write(b"a")
    assert not asked.called
    lines.write(b"b\nc")
    assert await asked == b"ab"
    last = waiting(lines)
    body.done.callback(None)
    assert await last == b"c"


@pytest_twisted.ensureDeferred
async def test_back_pressure() -> None:
    """Lines that nobody takes pause the body; it goes on when they are gone."""
    lines, _, producer = begun(AHEAD * 2)
    lines.write(b"x" * (AHEAD + 1) + b"\n")
    assert producer.paused
    assert len(await lines.next() or b"") == AHEAD + 1
    waiting(lines)
    assert not producer.paused


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("piece", [b"x" * 1001, b"y\n" + b"x" * 1001 + b"\n"])
async def test_a_line_that_is_too_long(piece: bytes) -> None:
    """Is not waited for: the body is stopped."""
    lines, _, producer = begun()
    lines.write(piece)
    with pytest.raises(RegproxyError) as caught:
        await lines.next()
    assert (caught.value.kind, producer.stops) == (Kind.TOO_LARGE, 1)


@pytest_twisted.ensureDeferred
async def test_a_line_that_is_as_long_as_it_may_be() -> None:
    """While it comes, too."""
    lines, body, _ = begun()
    lines.write(b"x" * 1000)
    body.done.callback(None)
    assert await lines.next() == b"x" * 1000


@pytest_twisted.ensureDeferred
async def test_nobody_wants_a_body_that_has_not_begun() -> None:
    """There is nobody to stop yet."""
    lines = Lines(1000)
    lines.read(Body())
    lines.stop()
    with pytest.raises(RegproxyError, match="not taken"):
        await lines.next()


@pytest_twisted.ensureDeferred
async def test_a_body_that_is_cut() -> None:
    """Its reader hears of that, before any line that is left."""
    lines, body, _ = begun()
    lines.write(b"a\nb")
    body.done.errback(Failure(RegproxyError(Kind.INVALID, "gone")))
    with pytest.raises(RegproxyError, match="gone"):
        await lines.next()


def test_stopping() -> None:
    """Nobody wants the rest: the body is stopped, once."""
    lines, _, producer = begun()
    lines.stop()
    lines.stop()
    assert producer.stops == 1


@pytest.mark.parametrize("dropped", range(11))
def test_skipping(dropped: int) -> None:
    """The first bytes are dropped, wherever the pieces end; the consumer knows whom to pause, and gets the rest."""
    body, taker, producer = Body(10), Taker(), cast(IPushProducer, Stopping())
    skipping = Skipping(body, dropped)
    assert skipping.length == 10 - dropped
    assert skipping.deliver(taker) is body.done
    skipping.start(producer)
    for piece in (b"012", b"3456", b"789"):
        skipping.write(piece)
    assert (taker.data, taker.producer) == (b"0123456789"[dropped:], producer)
    skipping.abort()
    assert body.aborted == 1


def test_skipping_more_than_there_is() -> None:
    """Leaves nothing; of a body of unknown length nobody knows how much."""
    assert [Skipping(Body(length), 11).length for length in (10, None)] == [0, None]
