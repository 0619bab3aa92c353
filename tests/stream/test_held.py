"""A body that is at hand already."""

from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from regproxy.stream.held import Held


class Taker:
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def start(self, producer: IPushProducer) -> None:
        """Note it; what it is told to do changes nothing."""
        assert verifyObject(IPushProducer, producer)
        producer.pauseProducing()
        producer.resumeProducing()
        self.told.append("start")

    def write(self, data: bytes) -> None:
        """Note it."""
        self.told.append(data)


def test_all_at_once() -> None:
    """The producer first, then the bytes, if there are any, then the end."""
    for data, expected in ((b"abc", ["start", b"abc", None]), (b"", ["start", None])):
        taker, held = Taker(), Held(data)
        held.deliver(taker).addCallback(taker.told.append)
        assert (held.length, taker.told) == (len(data), expected)
