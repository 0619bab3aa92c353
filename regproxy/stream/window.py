"""A window over a body that is not kept: a few MiB of it in an anonymous file, each byte at the offset that it has in the body.

So followers read it like any other file. What lies behind the window is punched out of the file, which keeps its memory flat.
The readers that are in the window pull it along: writing stops ``AHEAD`` of the furthest one, bytes stay ``BEHIND`` it. Where
the window is, is decided in the reactor's thread, in which followers look and send; ``write`` and ``punch`` are for threads.
"""

import ctypes
import os
from collections.abc import Sequence
from typing import Self

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from regproxy.model.ranges import Span

# Together with one job of the ingest, at most 2 MiB and what came behind a pause, these are 4 MiB.
AHEAD = 512 << 10
BEHIND = 1 << 20
PAGE = 4096

_PUNCH_HOLE_KEEP_SIZE = 3

_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_fallocate.restype = ctypes.c_int


@define(eq=False)
class Window:
    """The bytes from ``tail`` up to ``head``; it began at ``start``.

    Attributes:
        bounded: False for a document, which nobody reads before it is complete: all of it stays.
    """

    start: int
    bounded: bool
    _fd: int
    _furthest: int
    head: int = field(init=False)
    tail: int = field(init=False)
    _waiting: "list[Deferred[None]]" = field(factory=list, init=False)
    _stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.head = self.tail = self.start

    @classmethod
    def open(cls, start: int, *, bounded: bool, reader: int = 0) -> Self:
        """Make one in which nothing is yet, for a reader who may be ahead of it."""
        return cls(start, bounded, os.memfd_create("regproxy-window", os.MFD_CLOEXEC), max(start, reader))

    def fileno(self) -> int:
        """A descriptor for ``pread`` and ``sendfile``, by the offsets of the body."""
        return self._fd

    def write(self, buffers: Sequence[bytes]) -> None:
        """Put bytes behind those that are there."""
        for buffer in buffers:
            view = memoryview(buffer)
            while view:
                written = os.pwrite(self._fd, view, self.head)
                view = view[written:]
                self.head += written

    def copy_from(self, fd: int, stop: int) -> None:
        """Fill it with the beginning of a file."""
        while self.head < stop:
            data = os.pread(fd, min(1 << 20, stop - self.head), self.head)
            if not data:
                raise EOFError("the file is shorter than what was written to it")
            self.write([data])

    def holds(self, offset: int) -> bool:
        """Whether a reader at an offset is in the window, or where the window was made to go."""
        return self.tail <= offset <= max(self.head, self._furthest)

    def seen(self, offset: int) -> None:
        """A reader is here; if it is the furthest one, writing may go on."""
        if offset > self._furthest and self.holds(offset):
            self._furthest = offset
            if self._waiting and not self._is_full():
                waiting, self._waiting = self._waiting, []
                for waiter in waiting:
                    waiter.callback(None)

    def _is_full(self) -> bool:
        return self.bounded and self.head - self._furthest > AHEAD

    def interrupt(self, *, going_on: bool = False) -> None:
        """Let nobody wait for room any more, because no reader will make any; until it goes on."""
        self._stopped = not going_on
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(CancelledError())

    async def room(self) -> None:
        """Wait until more may be written; ``CancelledError`` if that was interrupted."""
        while self._is_full():
            if self._stopped:
                raise CancelledError
            waiter: Deferred[None] = Deferred(self._waiting.remove)
            self._waiting.append(waiter)
            await waiter

    def trim(self) -> Span | None:
        """Move the tail up; what is returned is no part of the window any more and is to be punched out."""
        before = self.tail
        tail = min(self.head, self._furthest - BEHIND) // PAGE * PAGE
        if not self.bounded or tail <= before:
            return None
        self.tail = tail
        return Span(before // PAGE * PAGE, tail)

    def punch(self, span: Span) -> None:
        """Give the memory of a span back."""
        if _fallocate(self._fd, _PUNCH_HOLE_KEEP_SIZE, span.start, len(span)) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def close(self) -> None:
        """Let everything go; whoever still waits for room is left waiting."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
