"""A body that may have so many bytes and no more."""

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.capped import Capped
from regproxy.stream.held import Held
from regproxy.stream.source import Consumer
from tests.fakes.remote import Producer

TOO_MUCH = RegproxyError(Kind.TOO_LARGE, "too much")


@define(eq=False)
class Body:
    """A source that is told when it has ended, and whom it is delivered to."""

    length: int | None = None
    aborted: int = 0
    done: Deferred[None] = field(factory=Deferred)
    consumer: Consumer | None = None

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Note to whom."""
        self.consumer = consumer
        return self.done

    def abort(self) -> None:
        """Count it."""
        self.aborted += 1


@define(eq=False)
class Taker:
    """Keeps what it gets."""

    data: bytes = b""
    producer: object = None

    def start(self, producer: IPushProducer) -> None:
        """Note it."""
        self.producer = producer

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.data += data


class Stopping(Producer):
    """Counts how often it was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.stops = 0

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Count."""
        self.stops += 1


@pytest.fixture
def body() -> Body:
    """Nothing of it has come."""
    return Body(7)


def delivered(body: Body, most: int) -> tuple[Taker, Stopping, list[object]]:
    """Begin; the taker, the producer and, once there is one, the outcome."""
    taker, producer, outcome = Taker(), Stopping(), list[object]()
    Capped(body, most, TOO_MUCH).deliver(taker).addBoth(outcome.append)
    assert body.consumer is not None
    body.consumer.start(producer)  # type: ignore[arg-type] # enough of one
    return taker, producer, outcome


def test_what_fits(body: Body) -> None:
    """Every byte up to the last allowed one, and a good end."""
    taker, producer, outcome = delivered(body, 7)
    assert taker.producer is producer
    assert body.consumer is not None
    for piece in (b"abc", b"defg"):
        body.consumer.write(piece)
    body.done.callback(None)
    assert (taker.data, outcome, producer.stops) == (b"abcdefg", [None], 0)


def test_one_byte_more(body: Body) -> None:
    """Is not handed on; the producer is stopped once; the end is the error that was asked for."""
    taker, producer, outcome = delivered(body, 6)
    assert body.consumer is not None
    for piece in (b"abc", b"defg", b"h"):
        body.consumer.write(piece)
    assert (taker.data, producer.stops) == (b"abc", 1)
    body.done.errback(RuntimeError("stopped"))
    (failure,) = outcome
    assert isinstance(failure, Failure)
    assert failure.value is TOO_MUCH


def test_another_failure(body: Body) -> None:
    """Stays what it is."""
    _, _, outcome = delivered(body, 7)
    body.done.errback(RuntimeError("cut"))
    (failure,) = outcome
    assert isinstance(failure, Failure)
    assert str(failure.value) == "cut"


def test_unread(body: Body) -> None:
    """It announces what the body announces, and drops it."""
    capped = Capped(body, 3, TOO_MUCH)
    assert (capped.length, body.aborted) == (7, 0)
    capped.abort()
    assert body.aborted == 1


def test_all_at_hand() -> None:
    """A body that comes at once and ends well is too large all the same."""
    caught: list[Failure] = []
    Capped(Held(b"12345"), 4, TOO_MUCH).deliver(Taker()).addErrback(caught.append)
    assert [each.value for each in caught] == [TOO_MUCH]
