"""A small body that is in memory already, as a source."""

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from regproxy.stream.source import Consumer


@implementer(IPushProducer)
class _Done:
    """There is nothing to pause: all of it comes at once."""

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Nothing follows."""

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Nothing follows."""

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Nothing follows."""


@frozen
class Held:
    """A ``Source`` of bytes that are at hand."""

    _data: bytes

    @property
    def length(self) -> int:
        """Of all of it."""
        return len(self._data)

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Hand it over."""
        consumer.start(_Done())
        if self._data:
            consumer.write(self._data)
        return succeed(None)

    def abort(self) -> None:
        """Nothing is open."""
