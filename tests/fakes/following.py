"""A client of a blob without a socket: what it was sent, and whether it was paused, cut off, or has left."""

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.model.ranges import Span
from regproxy.stream.follower import ClientGone, Sending, follow
from regproxy.stream.source import Readable
from tests.fakes.remote import InlinePool


@define(eq=False)
class Wire:
    """A transport that can only be cut."""

    aborted: bool = False

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Cut."""
        self.aborted = True


@define(eq=False)
class Channel:
    """What is between a request and its transport."""

    transport: Wire = field(factory=Wire)


@define(eq=False)
class Reader:
    """One client that follows a span of a blob, all of it if None.

    Attributes:
        got: what it was sent.
        most: after so many bytes it takes no more for now.
        ended: "whole", "cut" by us, "left" by itself; empty while it goes on.
    """

    readable: Readable
    span: Span | None
    clock: Clock
    early: bool = False
    readers: Any = field(factory=InlinePool)
    most: int | None = field(default=None, init=False)
    got: bytearray = field(factory=bytearray, init=False)
    ended: str = field(default="", init=False)
    stalled: bool = field(default=False, init=False)
    accountable: str = field(default="", init=False)
    channel: Any = field(factory=Channel, init=False)
    sentLength: int = field(default=0, init=False)  # noqa: N815 - Twisted's name
    _producer: Any = field(default=None, init=False)

    def start(self) -> None:
        """Begin; the blob is released at the end."""
        sending = Sending(self.clock, self.readers, sendfile=False)
        running = Deferred.fromCoroutine(follow(self, self.readable, self.span, sending, early=self.early))
        running.addCallbacks(lambda _: self._end("whole"), self._gone)

    def write(self, data: bytes) -> None:
        """Take bytes."""
        self.got += data
        if self.most is not None and len(self.got) >= self.most:
            self.stall()

    def registerProducer(self, producer: object, streaming: bool) -> None:  # noqa: FBT001, N802 - Twisted's
        """Note whom to pause."""
        self._producer = producer

    def unregisterProducer(self) -> None:  # noqa: N802 - Twisted's
        """Forget it."""
        self._producer = None

    def stall(self) -> None:
        """Take nothing more for now."""
        self.stalled = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def go_on(self) -> None:
        """Take again."""
        self.stalled = False
        if self._producer is not None:
            self._producer.resumeProducing()

    def leave(self) -> None:
        """The connection is lost from the other side."""
        if self._producer is not None:
            self._producer.stopProducing()

    def _gone(self, failure: Any) -> None:
        failure.trap(ClientGone)
        self._end("cut" if self.channel.transport.aborted else "left")

    def _end(self, how: str) -> None:
        assert self._producer is None, "a response that has ended has a producer"
        self.ended = how
        self.readable.release()
