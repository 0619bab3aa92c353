"""Bytes that are made when somebody takes them."""

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred

from regproxy.stream.pulled import Pulled
from tests.stream.test_capped import Taker

PIECES = (b"a", b"b", b"c")


class Slow(Taker):
    """Is full behind each of the first pieces."""

    def write(self, data: bytes) -> None:
        """Keep it."""
        super().write(data)
        if data != PIECES[-1]:
            self.producer.pauseProducing()  # type: ignore[attr-defined] # a Pulled


def begun(taker: Taker, made: list[bytes]) -> tuple[Pulled, "Deferred[Any]"]:
    """A source that notes what it has made, and the end of its delivery."""

    async def pieces() -> AsyncIterator[bytes]:
        for piece in PIECES:
            made.append(piece)
            yield piece

    pulled = Pulled(None, pieces())
    return pulled, pulled.deliver(taker)


def test_all_of_it() -> None:
    """In order, if nobody says otherwise."""
    taker = Taker()
    _, done = begun(taker, [])
    assert (taker.data, done.called) == (b"abc", True)


def test_the_next_piece_is_made_when_it_is_wanted() -> None:
    """Not ahead of a slow consumer."""
    taker, made = Slow(), list[bytes]()
    pulled, done = begun(taker, made)
    for number in (1, 2):
        assert (made, taker.data, done.called) == (list(PIECES[:number]), b"abc"[:number], False)
        pulled.resumeProducing()
    assert (taker.data, done.called) == (b"abc", True)


def test_stopped_while_it_waits() -> None:
    """No more is made, and the delivery ends."""
    taker, made = Slow(), list[bytes]()
    pulled, done = begun(taker, made)
    pulled.stopProducing()
    assert (made, taker.data, done.called) == ([b"a"], b"a", True)


def test_stopped_while_it_is_taken() -> None:
    """By whoever wants no more: it does not wait to be resumed."""

    class Enough(Taker):
        def write(self, data: bytes) -> None:
            super().write(data)
            self.producer.pauseProducing()  # type: ignore[attr-defined] # a Pulled
            self.producer.stopProducing()  # type: ignore[attr-defined] # a Pulled

    taker, made = Enough(), list[bytes]()
    _, done = begun(taker, made)
    assert (made, taker.data, done.called) == ([b"a"], b"a", True)
