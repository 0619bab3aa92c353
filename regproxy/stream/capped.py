"""A source that may not bring more than so many bytes, however it is framed."""

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from regproxy.errors import RegproxyError
from regproxy.stream.source import Consumer, Source


@define(eq=False)
class Capped:
    """Fails with ``error`` in place of the byte behind the last allowed one, and stops the body then."""

    _source: Source
    _most: int
    _error: RegproxyError
    _consumer: Consumer | None = field(default=None, init=False)
    _producer: IPushProducer | None = field(default=None, init=False)
    _size: int = field(default=0, init=False)

    @property
    def length(self) -> int | None:
        """What the body announces."""
        return self._source.length

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Hand on, counting."""
        self._consumer = consumer
        return self._source.deliver(self).addBoth(self._ended)

    def abort(self) -> None:
        """Drop it unread."""
        self._source.abort()

    def start(self, producer: IPushProducer) -> None:
        """Note whom to stop."""
        self._producer = producer
        assert self._consumer is not None
        self._consumer.start(producer)

    def write(self, data: bytes) -> None:
        """Count, and hand on what is allowed."""
        assert self._consumer is not None
        self._size += len(data)
        if self._size <= self._most:
            self._consumer.write(data)
        elif self._producer is not None:
            producer, self._producer = self._producer, None
            producer.stopProducing()

    def _ended(self, outcome: Failure | None) -> None:
        """A source that has all at hand brings it all, and is not stopped."""
        if self._size > self._most:
            raise self._error
        if isinstance(outcome, Failure):
            outcome.raiseException()
