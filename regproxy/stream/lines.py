"""A body line by line, in memory one line at a time: its reader says when he wants the next one."""

from collections import deque

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.source import Source

AHEAD = 64 << 10
"""So many bytes of complete lines may wait before the body is paused."""


@define(eq=False)
class Lines:
    """The lines of a body, without their ends; the last one may have none."""

    _limit: int
    _partial: list[bytes] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)
    _lines: deque[bytes] = field(factory=deque, init=False)
    _ahead: int = field(default=0, init=False)
    _producer: IPushProducer | None = field(default=None, init=False)
    _paused: bool = field(default=False, init=False)
    _ended: bool = field(default=False, init=False)
    _failure: Failure | None = field(default=None, init=False)
    _waiting: Deferred[None] | None = field(default=None, init=False)

    def read(self, source: Source) -> None:
        """Begin."""
        source.deliver(self).addCallbacks(self._end, self._fail)

    async def next(self) -> bytes | None:
        """The next line; None behind the last one. ``RegproxyError`` for a body that was cut, TOO_LARGE for a line that is."""
        while not self._lines and not self._ended:
            if self._paused and self._producer is not None:
                self._paused = False
                self._producer.resumeProducing()
                continue
            self._waiting = Deferred()
            await self._waiting
        if self._failure is not None:
            self._failure.raiseException()
        if not self._lines:
            return None
        line = self._lines.popleft()
        self._ahead -= len(line)
        return line

    def stop(self) -> None:
        """Nobody wants the rest."""
        if not self._ended:
            self._fail(Failure(RegproxyError(Kind.INVALID, "the body was not taken")))
            if self._producer is not None:
                self._producer.stopProducing()

    def start(self, producer: IPushProducer) -> None:
        """Note whom to pause."""
        self._producer = producer

    def write(self, data: bytes) -> None:
        """Take more of the body."""
        if self._ended:
            return
        first, *more = data.split(b"\n")
        self._add(first)
        for piece in more:
            self._complete()
            self._add(piece)
        if self._size > self._limit or any(len(line) > self._limit for line in self._lines):
            self._fail(Failure(RegproxyError(Kind.TOO_LARGE, f"a line of the body has more than {self._limit} bytes")))
            if self._producer is not None:
                self._producer.stopProducing()
            return
        if self._ahead > AHEAD and not self._paused and self._producer is not None:
            self._paused = True
            self._producer.pauseProducing()
        if self._lines:
            self._wake()

    def _add(self, data: bytes) -> None:
        if data:
            self._partial.append(data)
            self._size += len(data)

    def _complete(self) -> None:
        line = b"".join(self._partial)
        self._partial, self._size = [], 0
        self._lines.append(line)
        self._ahead += len(line)

    def _end(self, _: None) -> None:
        if self._partial and not self._ended:
            self._complete()
        self._ended = True
        self._wake()

    def _fail(self, failure: Failure) -> None:
        if not self._ended:
            self._ended, self._failure = True, failure
            self._lines.clear()
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
