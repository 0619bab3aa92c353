"""A file of lines: what is recorded is kept as it is, and made lines and written in batches by a thread.

Rules: a disk or a pipe that hangs holds nobody; what then would not fit any more is dropped, and counted. Each write has
whole lines, at the end of the file, so that those of several processes do not mix. The file is opened again on ``reopen``
(logrotate): until then lines go to the one that was moved, and none is lost. Without a path it is stdout.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from txaio.tx import make_logger

log = make_logger()

PERIOD = 0.2
MOST = 50_000
AT_ONCE = 500
PIECE = 1 << 20
ATOMIC = 4096
"""What a pipe takes as one piece (PIPE_BUF)."""

E = TypeVar("E")
Run = Callable[[Callable[[], None]], "Deferred[None]"]


@define(eq=False)
class Lines(Generic[E]):
    """Takes entries in the reactor; ``form`` makes whole lines of several of them, in the thread that ``run`` calls it in.

    Attributes:
        dropped: entries that were not written.
    """

    _path: Path | None
    _form: Callable[[Sequence[E]], bytes]
    _clock: IReactorTime
    _run: Run
    dropped: int = field(default=0, init=False)
    _held: list[E] = field(factory=list, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _writing: "Deferred[None] | None" = field(default=None, init=False)
    _descriptor: int = field(default=-1, init=False)
    _reopens: bool = field(default=False, init=False)
    _is_failing: bool = field(default=False, init=False)

    def write(self, entry: E) -> None:
        """Take one."""
        if len(self._held) >= MOST:
            self.dropped += 1
            return
        self._held.append(entry)
        if self._timer is None:
            self._timer = self._clock.callLater(PERIOD, self._due)

    def reopen(self) -> None:
        """Go on in a new file: the old one was moved away. If that cannot be opened, as without a free descriptor, in the old."""
        self._reopens = True
        if self._timer is None:
            self._timer = self._clock.callLater(0, self._due)

    def flush(self) -> "Deferred[None]":
        """Write what was taken so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        done: Deferred[None] = Deferred()
        before = self._writing or succeed(None)
        before.addCallback(lambda _: self._start().chainDeferred(done))
        return done

    async def close(self) -> None:
        """Write the rest, and close the file."""
        await self.flush()
        if self._descriptor >= 0 and self._path is not None:
            os.close(self._descriptor)
        self._descriptor = -1

    def _due(self) -> None:
        self._timer = None
        if self._writing is None:
            self._start()
        else:
            self._timer = self._clock.callLater(PERIOD, self._due)

    def _start(self) -> "Deferred[None]":
        entries, self._held = self._held, []
        if not entries and not self._reopens:
            return succeed(None)
        self._writing, ended = Deferred(), Deferred[None]()
        self._run(lambda: self._put(entries)).addBoth(self._ended, len(entries), ended)
        return ended

    def _ended(self, outcome: "Failure | None", count: int, ended: "Deferred[None]") -> None:
        failed = isinstance(outcome, Failure)
        if failed:
            self.dropped += count
        if failed and not self._is_failing:
            log.failure("lines of a log cannot be written: {log_failure.value!r}", failure=outcome)
        self._is_failing = failed
        writing, self._writing = self._writing, None
        ended.callback(None)
        if writing is not None:
            writing.callback(None)

    # In the thread.

    def _put(self, entries: list[E]) -> None:
        if self._reopens:
            self._reopens = False
            self._open_anew()
        if self._descriptor < 0:
            self._descriptor = self._open()
        for start in range(0, len(entries), AT_ONCE):
            self._append(self._form(entries[start : start + AT_ONCE]))

    def _append(self, data: bytes) -> None:
        most = PIECE if self._path is not None else ATOMIC
        at = 0
        while at < len(data):
            end = data.rfind(b"\n", at, at + most) + 1 or data.find(b"\n", at) + 1
            left = memoryview(data)[at:end]
            while left:  # more than once only where the other end is a full pipe
                left = left[os.write(self._descriptor, left) :]
            at = end

    def _open(self) -> int:
        if self._path is None:
            return (sys.__stdout__ or sys.stdout).fileno()
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _open_anew(self) -> None:
        try:
            new = self._open()
        except OSError as error:
            log.error("a log was not opened anew: {error!r}", error=error)  # noqa: TRY400 - one line
            return
        if self._descriptor >= 0 and self._path is not None:
            os.close(self._descriptor)
        self._descriptor = new
