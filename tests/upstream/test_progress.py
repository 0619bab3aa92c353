"""Bodies that stop or crawl are given up; our own pauses are not held against them."""

from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream.source import Body, Receiver
from tests.fakes.asking import Bucket


class Wire:
    """What Twisted gives a body's protocol for a transport."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note."""
        self.calls.append("pause")

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note."""
        self.calls.append("resume")

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note."""
        self.calls.append("stop")


class Response:
    """A response whose body a test sends."""

    def __init__(self) -> None:
        self.wire: Any = Wire()
        self.protocol: Any = None

    def deliverBody(self, protocol: Any) -> None:  # noqa: N802 - Twisted's name
        """Begin."""
        self.protocol = protocol
        protocol.makeConnection(self.wire)


class Scene:
    """A body that is being delivered, and a clock."""

    def __init__(self, idle: float = 60.0) -> None:
        self.clock = Clock()
        self.response = Response()
        self.released = 0
        self.bucket = Bucket()
        body = Body("host:80", None, self.response, self.clock, idle, self._release)
        self.done = body.deliver(self.bucket)
        self.ends: list[object] = []
        self.done.addBoth(self.ends.append)

    def _release(self) -> None:
        self.released += 1

    @property
    def receiver(self) -> Receiver:
        """The protocol."""
        found: Receiver = self.response.protocol
        return found

    def trickle(self, size: int, seconds: int) -> None:
        """So many bytes each second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.receiver.dataReceived(b"x" * size)

    def kind(self) -> Kind:
        """What kind of failure it ended with."""
        (end,) = self.ends
        assert isinstance(end, Failure)
        assert isinstance(end.value, RegproxyError)
        return end.value.kind


def test_idle() -> None:
    """No byte for as long as the socket timeout."""
    scene = Scene(idle=10)
    scene.trickle(5000, 9)
    scene.clock.advance(1)
    scene.clock.advance(10)
    assert (scene.kind(), scene.response.wire.calls) == (Kind.UPSTREAM_SLOW, ["stop"])
    assert scene.released > 0
    assert scene.clock.getDelayedCalls() == []


def test_crawling() -> None:
    """Less than 1 KiB/s for a minute."""
    scene = Scene()
    scene.trickle(1000, 61)
    assert scene.kind() is Kind.UPSTREAM_SLOW


def test_slow_but_steady() -> None:
    """An hour at 2 KiB/s is fine."""
    scene = Scene()
    scene.trickle(2048, 3600)
    scene.receiver.connectionLost(Failure(ResponseDone()))
    assert (scene.ends, len(scene.bucket.data)) == ([None], 2048 * 3600)
    assert scene.clock.getDelayedCalls() == []


def test_paused() -> None:
    """A consumer may pause for hours; the watch begins again when it goes on."""
    scene = Scene(idle=10)
    scene.receiver.pauseProducing()
    for _ in range(100):
        scene.clock.advance(100)
    assert scene.ends == []
    scene.receiver.resumeProducing()
    scene.clock.advance(10)
    assert scene.ends == []
    scene.clock.advance(10)
    assert scene.kind() is Kind.UPSTREAM_SLOW


def test_cancelled() -> None:
    """Cancelling stops the connection; what still comes goes nowhere, and pausing then does nothing."""
    scene = Scene()
    scene.done.cancel()
    scene.receiver.dataReceived(b"late")
    scene.receiver.pauseProducing()
    scene.receiver.connectionLost(Failure(ResponseDone()))
    assert (bytes(scene.bucket.data), scene.response.wire.calls) == (b"", ["stop"])
    assert scene.released == 1
    assert scene.clock.getDelayedCalls() == []
