"""The body of a request, handed on as it arrives: a ``Source`` (``stream/source.py``) over one client's connection.

Rules:

1. Nothing is asked for before somebody wants it: what comes unasked is queued, and ``QUEUE`` bytes of it stop the reading. A
   client that waits for a 100 gets it when ``deliver`` is called.
2. A pause is advice: the channel resumes reading by itself when its write buffer drains, so what still comes is queued, and
   reading is paused again.
3. A client is to send at least ``RATE_BYTES`` in each ``RATE_SECONDS`` in which we want bytes; time in which we don't is not
   held against it. Nothing limits how long a body takes.
4. It ends once: complete by its framing, or failed; whoever has it then hears of that behind the last byte that was taken.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.idle import IdleWatch
from regproxy.stream.source import Consumer, Source

QUEUE = 64 << 10
RATE_SECONDS = 30.0
RATE_BYTES = 30 << 10


class Wire(Protocol):
    """What a body needs of its connection."""

    def hold(self) -> None:
        """Read no more for now."""

    def flow(self) -> None:
        """Read on."""

    def go_ahead(self) -> None:
        """Send ``100 Continue``."""


@implementer(IPushProducer)
@define(eq=False)
class RequestBody:
    """One body; ``length`` is None for one that is sent in chunks."""

    length: int | None
    _wire: Wire
    _clock: IReactorTime
    _is_awaited: bool = False
    complete: bool = field(default=False, init=False)
    received: int = field(default=0, init=False)
    _failed: RegproxyError | None = field(default=None, init=False)
    _queue: deque[bytes] = field(factory=deque, init=False)
    _queued: int = field(default=0, init=False)
    _consumer: Consumer | None = field(default=None, init=False)
    _delivery: Deferred[None] | None = field(default=None, init=False)
    _paused: bool = field(default=True, init=False)
    _watch: IdleWatch = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._watch = IdleWatch(self._clock, RATE_SECONDS, self._too_slow, RATE_BYTES)

    @property
    def held(self) -> bool:
        """Whether it is us whom the client waits for."""
        return self._paused and not self.complete

    # Of the source.

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Send everything to the consumer, from the next reactor turn on."""
        if self._delivery is not None:
            raise RuntimeError("a body is delivered once")
        self._delivery = Deferred(lambda _: self._give_up(None))
        self._consumer = consumer
        if self._is_awaited and not self.received and not self._ended():
            self._wire.go_ahead()
        consumer.start(self)
        self._clock.callLater(0, self.resumeProducing)
        return self._delivery

    def abort(self) -> None:
        """Nobody wants it: what still comes is thrown away, and the connection with it when the request has been answered."""
        self._give_up(RegproxyError(Kind.INVALID, "the body was not taken"))

    # Of the consumer, which pauses us.

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The consumer has enough for now."""
        self._paused = True
        self._watch.stop()
        self._wire.hold()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It wants more."""
        self._paused = False
        while self._queue and not self._paused and self._consumer is not None:
            data = self._queue.popleft()
            self._queued -= len(data)
            self._consumer.write(data)
        if self._paused or self._settle():
            return
        self._watch.start()
        self._wire.flow()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It wants no more."""
        self.abort()

    # Of the request.

    def take(self, data: bytes) -> None:
        """More of it has come."""
        self.received += len(data)
        if self._failed is not None:
            return
        self._watch.note(len(data))
        if self._consumer is not None and not self._paused:
            self._consumer.write(data)
            return
        self._queue.append(data)
        self._queued += len(data)
        if self._queued > QUEUE:
            self._wire.hold()

    def end(self) -> None:
        """It has come to its end."""
        if self._failed is None:
            self.complete = True
            self._watch.stop()
            if not self._paused:
                self._settle()

    def fail(self, error: RegproxyError) -> None:
        """It will never be complete. One that is already stays so."""
        if not self.complete:
            self._give_up(error)

    def _give_up(self, error: RegproxyError | None) -> None:
        """End it; a delivery that is cancelled by the one who waits for it hears of that from its Deferred."""
        if self._failed is not None:
            return
        self._failed = error or RegproxyError(Kind.INVALID, "the body was not taken")
        self.complete = False
        self._queue.clear()
        self._queued = 0
        self._watch.stop()
        self._wire.hold()
        if error is not None:
            self._settle()

    def _ended(self) -> bool:
        return self._failed is not None or (self.complete and not self._queue)

    def _settle(self) -> bool:
        if not self._ended() or self._delivery is None:
            return self._ended()
        self._consumer = None
        if not self._delivery.called:
            if self._failed is not None:
                self._delivery.errback(Failure(self._failed))
            else:
                self._delivery.callback(None)
        return True

    def _too_slow(self) -> None:
        self.fail(RegproxyError(Kind.TOO_SLOW, "the body comes too slowly"))


@define(eq=False)
class _Collector:
    _limit: int
    _parts: list[bytes] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)
    _stop: Callable[[], None] | None = field(default=None, init=False)

    def start(self, producer: IPushProducer) -> None:
        self._stop = producer.stopProducing

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._parts.append(data)
        elif self._stop is not None:
            stop, self._stop = self._stop, None
            stop()

    def whole(self) -> bytes:
        if self._size > self._limit:
            raise RegproxyError(Kind.TOO_LARGE, f"at most {self._limit} bytes are expected here")
        return b"".join(self._parts)


async def read_whole(source: Source, limit: int) -> bytes:
    """Read a small body into memory; ``RegproxyError`` (TOO_LARGE) beyond ``limit`` bytes, before they are asked for if announced
    so.
    """
    if source.length is not None and source.length > limit:
        source.abort()
        raise RegproxyError(Kind.TOO_LARGE, f"at most {limit} bytes are expected here")
    collector = _Collector(limit)
    try:
        await source.deliver(collector)
    except RegproxyError:
        collector.whole()
        raise
    return collector.whole()
