"""A writer that outlives its disk: when the spool cannot be written any more, the body goes on through a window.

Which troubles are meant, ``is_trouble`` says: no room, no inode, no quota, a file system that is read-only or failing, and one
that does not answer. A body of any other error fails. The bytes that the spool has stay readable; it is removed at once.
Bytes that are ``scattered`` cannot go on in a window: the error is the caller's, who begins a window where they are contiguous.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import Protocol, Self

from attrs import define, field

from regproxy.stream.pool import Pool
from regproxy.stream.source import BlobWriter
from regproxy.stream.window import Window

# A prefix of this size is copied, which frees the spool and leaves one file to read.
COPIED = 1 << 20

_TROUBLE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ETIMEDOUT, errno.EFBIG, errno.ENFILE, errno.EMFILE, errno.ENOMEM}
)


def is_trouble(error: OSError) -> bool:
    """Whether a client should get its bytes in spite of it."""
    return error.errno in _TROUBLE


class Allowance(Protocol):
    """What a writer may take of the disk."""

    def ahead(self, pool: Pool) -> Pool:
        """A pool whose jobs are the writes: where there is little to take, more is made before one is done."""

    def refuses(self, end: int) -> int:
        """Why the body may not grow up to here, as an ``errno``; 0 if it may. In a thread."""

    def leave(self) -> None:
        """It takes nothing any more. In any thread; a second call does nothing."""


@define(eq=False)
class EnduringWriter:
    """A ``BlobWriter`` over a spool.

    Attributes:
        window: where the bytes go instead, once they do.
        error: why.
        in_order: whether all bytes came one after the other, and are hashed as they come.
    """

    _spool: BlobWriter | None
    whole: bool = False
    window: Window | None = field(default=None, init=False)
    error: OSError | None = field(default=None, init=False)
    in_order: bool = field(default=True, init=False)
    _end: int = field(default=0, alias="end")
    _allowance: Allowance | None = field(default=None, alias="allowance")
    _pending: "tuple[int, Sequence[bytes]] | None" = field(default=None, init=False)
    _lock: Lock = field(factory=Lock, init=False)
    _order: Lock = field(factory=Lock, init=False)  # never held while anything is waited for: the reactor takes it
    _turns: bool = field(default=False, init=False)
    _writing: int = field(default=0, init=False)
    _is_doomed: bool = field(default=False, init=False)

    @classmethod
    def through(cls, window: Window, error: OSError | None = None) -> Self:
        """One without a spool, because of an error if there was one."""
        writer = cls(None, not window.bounded)
        writer.window, writer.error, writer._end, writer._turns = window, error, window.start, True
        return writer

    def scatter(self) -> bool:
        """Bytes will come in any order from now on; False if they can't, because they go through a window, or begin to."""
        with self._order:
            self.in_order = self.in_order and self._turns
            return not self.in_order

    def _begins_to_turn(self) -> bool:
        with self._order:
            self._turns = self.in_order
            return self._turns

    @property
    def turned_at(self) -> int:
        """The offset at which the window took over."""
        return self._end

    @property
    def name(self) -> str | None:
        """As the spool, while there is one."""
        return None if self._spool is None or self.window is not None else self._spool.name

    @property
    def is_attended(self) -> bool:
        """As the spool."""
        return self._spool is not None and self._spool.is_attended

    @property
    def due(self) -> int:
        """As the spool; a window takes nothing of the disk."""
        return 0 if self._spool is None or self.window is not None else self._spool.due

    def fileno(self) -> int:
        """The spool's descriptor, or the window's."""
        if self._spool is None:
            assert self.window is not None
            return self.window.fileno()
        return self._spool.fileno()

    def ahead(self, pool: Pool) -> Pool:
        """The pool for the jobs that write, as long as they go to the spool."""
        return pool if self._allowance is None else self._allowance.ahead(pool)

    def write_at(self, offset: int, buffers: Sequence[bytes]) -> None:
        """Write all buffers, wherever they can be written."""
        with self._lock:
            if self.window is not None:
                if offset != self.window.head:
                    raise OSError(errno.ESPIPE, "these bytes do not follow those in the window")
                self.window.write(buffers)
                return
            in_order = self.in_order
            if in_order:
                self._pending = (offset, buffers)
        assert self._spool is not None
        if not in_order:
            self._check(offset + sum(map(len, buffers)))
            self._write(self._spool, offset, buffers)
            return
        try:
            self._check(offset + sum(map(len, buffers)))
            self._write(self._spool, offset, buffers)
        except OSError as error:
            if not is_trouble(error) or not self._turned(error):
                raise
        else:
            with self._lock:
                if self._pending is not None and self.window is None:
                    self._end = max(self._end, offset + sum(map(len, buffers)))
                    self._pending = None

    def _write(self, spool: BlobWriter, offset: int, buffers: Sequence[bytes]) -> None:
        """Write to the spool, which keeps its descriptor meanwhile: a thread that is stuck must not come to in another file."""
        with self._lock:
            self._writing += 1
        try:
            spool.write_at(offset, buffers)
        finally:
            with self._lock:
                self._writing -= 1
                is_due = self._is_doomed and not self._writing
            if is_due:
                _remove(spool)

    def _check(self, end: int) -> None:
        code = 0 if self._allowance is None else self._allowance.refuses(end)
        if code:
            raise OSError(code, os.strerror(code))

    def _leave(self) -> None:
        if self._allowance is not None:
            self._allowance.leave()

    def _turned(self, error: OSError) -> bool:
        """What was being written goes into a window; False if it does not continue what is written already."""
        with self._lock:
            if self._pending is None:
                return self.window is not None  # somebody else has seen to it
            offset, buffers = self._pending
            self._pending = None
            if offset != self._end or not self._begins_to_turn():
                return False
            self._turn(error)
            assert self.window is not None
            self.window.write(buffers)
            return True

    def _turn(self, error: OSError) -> None:
        assert self._spool is not None
        copied = self.whole or self._end <= COPIED
        window = Window.open(0 if copied else self._end, bounded=not self.whole)
        if copied:
            try:
                window.copy_from(self._spool.fileno(), self._end)
            except BaseException:
                window.close()
                raise
        self.error, self.window = error, window
        self._leave()

    def give_up_disk(self, error: OSError) -> bool:
        """The disk has not answered in time. In a thread that does not wait for it.

        Returns:
            Whether what was being written is in the window now; False if nothing was.
        """
        if self.window is not None or not self.in_order:
            return self.window is not None
        with self._lock:
            pending = self._pending is not None
            if not pending and self._begins_to_turn():
                self._turn(error)
        return pending and self._turned(error)

    def commit(self, sha256: str, *, durable: bool, claim: bool = False) -> None:
        """As the spool; ``OSError`` if all of it is not there."""
        if self._spool is None or self.window is not None:
            raise self.error or OSError(errno.ENOSPC, "it went through a window")
        self._spool.commit(sha256, durable=durable, claim=claim)
        self._leave()

    def keep(self, *, durable: bool) -> bool:
        """As the spool, while that has all of it."""
        if self._spool is None or self.window is not None:
            self.abort()
            return False
        self._leave()
        return self._spool.keep(durable=durable)

    def settle(self) -> None:
        """As the spool."""
        if self._spool is not None:
            self._spool.settle()

    def abort(self) -> None:
        """Remove the spool; a file system that cannot even do that has nothing of ours in the end: the next start removes it."""
        if self._spool is None:
            return
        self._leave()
        with self._lock:
            self._is_doomed = True
            is_busy = self._writing > 0
        if not is_busy:
            _remove(self._spool)


def _remove(spool: BlobWriter) -> None:
    with suppress(OSError):
        spool.abort()
