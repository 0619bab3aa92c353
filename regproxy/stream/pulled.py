"""A source whose bytes are made piece by piece, the next one when the last one was taken."""

from collections.abc import AsyncIterator

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from regproxy.stream.source import Consumer


@implementer(IPushProducer)
@define(eq=False)
class Pulled:
    """A ``Source`` of so many bytes, if that is known, which an iterator yields; what the iterator raises ends it."""

    length: int | None
    _pieces: AsyncIterator[bytes]
    _waiting: Deferred[None] | None = field(default=None, init=False)
    _paused: bool = field(default=False, init=False)
    _stopped: bool = field(default=False, init=False)

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Begin."""
        return Deferred.fromCoroutine(self._deliver(consumer))

    async def _deliver(self, consumer: Consumer) -> None:
        consumer.start(self)
        async for piece in self._pieces:
            consumer.write(piece)
            if self._paused and not self._stopped:
                self._waiting = Deferred()
                await self._waiting
            if self._stopped:
                break

    def abort(self) -> None:
        """Nothing has begun."""
        self._stopped = True

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Make no more for now."""
        self._paused = True

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Go on."""
        self._paused = False
        self._wake()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Make no more at all."""
        self._stopped = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
