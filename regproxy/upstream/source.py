"""A response body as a ``Source``: back-pressure to the socket, the verdict of the framing, and a watch over progress.

Only a body that is complete by its framing ends well. The connection slot that the request took is given back when the body
has ended, whichever way; leaving a body unread means dropping its connection.
"""

from collections.abc import Callable
from typing import Any, Protocol, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IResponse
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.idle import IdleWatch
from regproxy.stream.source import Consumer
from regproxy.upstream.failures import translate, value_of
from regproxy.upstream.noted import Note

SLOW_SECONDS = 60.0
SLOW_BYTES = 1024 * 60


class Bodied(Protocol):
    """What is needed of a response of Twisted's client."""

    def deliverBody(self, protocol: TwistedProtocol) -> None:  # noqa: N802 - Twisted's name
        """Hand the body to a protocol."""


@define(eq=False)
class Progress:
    """Ends a body that has stopped, or crawls; time in which we paused it ourselves is not held against it."""

    _clock: IReactorTime
    _idle: float
    _expired: Callable[[], None]
    _watches: list[IdleWatch] = field(factory=list, init=False)
    _paused: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin to watch."""
        self._watches = [
            IdleWatch(self._clock, self._idle, lambda: self._look(0)),
            IdleWatch(self._clock, SLOW_SECONDS, lambda: self._look(1), SLOW_BYTES),
        ]
        for watch in self._watches:
            watch.start()

    def note(self, units: int) -> None:
        """So many bytes came."""
        for watch in self._watches:
            watch.note(units)

    def pause(self) -> None:
        """We want no more for now: this period says nothing about upstream."""
        self._paused = True
        self.note(SLOW_BYTES)

    def resume(self) -> None:
        """We want more."""
        self._paused = False
        self.note(SLOW_BYTES)

    def stop(self) -> None:
        """The body has ended."""
        watches, self._watches = self._watches, []
        for watch in watches:
            watch.stop()

    def _look(self, which: int) -> None:
        if self._paused:
            self._watches[which].start()
        else:
            self._expired()


@implementer(IPushProducer)
class Receiver(TwistedProtocol):
    """Receives a body from Twisted's client, and is the producer that its consumer pauses."""

    def __init__(self, consumer: Consumer, progress: Progress, ended: Callable[[Failure], None]) -> None:
        self._consumer = consumer
        self._progress = progress
        self._ended: Callable[[Failure], None] | None = ended
        self.received = 0

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """The body is about to begin."""
        self._progress.start()
        self._consumer.start(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """More of it; what comes after the end that we made is not looked at."""
        if self._ended is not None:
            self.received += len(data)
            self._progress.note(len(data))
            self._consumer.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """It has ended."""
        self.leave(reason)

    def leave(self, reason: Failure) -> None:
        """Tell how it ended, once, and watch no more."""
        ended, self._ended = self._ended, None
        self._progress.stop()
        if ended is not None:
            ended(reason)

    def silence(self) -> None:
        """Nobody listens any more; a read that was on its way goes nowhere."""
        self._ended = None
        self._progress.stop()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Stop reading the socket."""
        if self._ended is not None:
            self._progress.pause()
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Read on."""
        if self._ended is not None:
            self._progress.resume()
            self._producer.resumeProducing()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Drop the connection; the only way that is immediate, over TLS too."""
        self._producer.stopProducing()

    @property
    def _producer(self) -> IPushProducer:
        transport: Any = self.transport  # a TransportProxyProducer, which interfaces of Twisted don't name
        return cast(IPushProducer, transport)


class Drop(TwistedProtocol):
    """Takes at most ``limit`` bytes of a body, so that its connection may be used again, and drops the connection otherwise."""

    def __init__(self, limit: int = 0) -> None:
        self._left = limit
        self._timer: IDelayedCall | None = None
        self.done: Deferred[None] = Deferred()

    def ends_with(self, timer: IDelayedCall) -> None:
        """Cancel a timer when the body has ended."""
        self._timer = timer

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """The body is about to begin."""
        if self._left <= 0:
            self.stop()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count."""
        self._left -= len(data)
        if self._left < 0:
            self.stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """It has ended."""
        del reason  # nothing hangs on how it ended
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if not self.done.called:
            self.done.callback(None)

    def stop(self) -> None:
        """Drop the connection, if the body still has one."""
        transport: Any = self.transport  # as in ``Receiver``
        if transport is not None:
            transport.stopProducing()


@define(eq=False)
class Body:
    """The ``Source`` of one response.

    ``length`` is of what comes now: 0 for an answer without a body.
    """

    name: str
    length: int | None
    _response: Bodied
    _clock: IReactorTime
    _idle: float
    _release: Callable[[], None]
    _note: Note | None = None
    _receiver: Receiver | None = field(default=None, init=False)

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """See ``Source``."""
        done: Deferred[None] = Deferred(lambda _: self._stop(receiver))
        progress = Progress(self._clock, self._idle, lambda: self._too_slow(receiver))
        receiver = self._receiver = Receiver(consumer, progress, lambda reason: self._ended(done, reason))
        self._response.deliverBody(receiver)
        return done

    def abort(self) -> None:
        """See ``Source``."""
        self._end()
        self._response.deliverBody(Drop())

    def _end(self, error: str = "") -> None:
        self._release()
        if self._note is not None:
            self._note.end(0 if self._receiver is None else self._receiver.received, error)

    def _ended(self, done: Deferred[None], reason: Failure) -> None:
        self._end("" if reason.check(ResponseDone) else translate(self.name, value_of(reason)).text)
        if done.called:
            return
        if reason.check(ResponseDone):
            done.callback(None)
        else:
            done.errback(Failure(translate(self.name, value_of(reason))))

    def _stop(self, receiver: Receiver) -> None:
        self._end("left")
        receiver.silence()
        receiver.stopProducing()

    def _too_slow(self, receiver: Receiver) -> None:
        receiver.leave(Failure(RegproxyError(Kind.UPSTREAM_SLOW, f"{self.name} stopped sending, or sends too slowly")))
        receiver.stopProducing()


def length_of(response: IResponse, method: str) -> int | None:
    """Bytes that the framing promises."""
    if method == "HEAD":
        return 0
    length: object = response.length
    return length if isinstance(length, int) else None
