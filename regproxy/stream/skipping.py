"""A source without its first bytes: those that are there already, of a piece that is sent again."""

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer

from regproxy.stream.source import Consumer, Source


@define(eq=False)
class Skipping:
    """Drops so many bytes, and hands on the rest."""

    _source: Source
    _left: int
    length: int | None = field(init=False)
    _consumer: Consumer | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.length = None if self._source.length is None else max(0, self._source.length - self._left)

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Begin."""
        self._consumer = consumer
        return self._source.deliver(self)

    def abort(self) -> None:
        """Drop it unread."""
        self._source.abort()

    def start(self, producer: IPushProducer) -> None:
        """Tell the consumer whom to pause."""
        assert self._consumer is not None
        self._consumer.start(producer)

    def write(self, data: bytes) -> None:
        """Hand on what is left behind the bytes to drop."""
        assert self._consumer is not None
        dropped = min(self._left, len(data))
        self._left -= dropped
        if dropped < len(data):
            self._consumer.write(data[dropped:] if dropped else data)
