"""Hashes of a body: of bytes as they come, and of a prefix that follows a body whose bytes come in any order.

Whoever writes the bytes at the end of the hashed prefix hashes them in the same hop (``claim``). What was written
elsewhere, or by a fill before, is read back when the prefix reaches it, on the writer pool, a few MiB at a time. The running
hashes are used by one thread at a time: the one that has claimed them. A thread that fails, or is stuck, is left with those that
it has: a copy of what they were before takes their place.
"""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from regproxy.model.digest import Digest, Hash, new_hash
from regproxy.model.ranges import Extents
from regproxy.stream.observer import OneShot

READ = 1 << 20
JOB = 8 << 20
# So much may be behind before it is read back by a job of its own; less is caught up with by the next write.
LAG = 4 << 20


class Threads(Protocol):
    """Where jobs run."""

    def run(self, work: Callable[[], None]) -> "Deferred[None]":
        """Run one."""


class Written(Protocol):
    """What is being hashed, as far as it is written."""

    @property
    def extents(self) -> Extents:
        """The bytes that exist."""

    def fileno(self) -> int:
        """Where to read them."""


@define(eq=False)
class Hashes:
    """The running hashes of bytes that come in order: SHA-256, and those that verify the body."""

    _running: dict[str, Hash]

    @classmethod
    def of(cls, digests: Sequence[Digest], length: int | None) -> "Hashes":
        """Start what is needed and can be: ``git-sha1`` without a length is computed when the body is there."""
        names = {"sha256"} | {digest.algorithm for digest in digests}
        if length is None:
            names.discard("git-sha1")
        return cls({name: new_hash(name, length) for name in sorted(names)})

    def update(self, buffers: Sequence[bytes]) -> None:
        """Take more of the body."""
        for running in self._running.values():
            for data in buffers:
                running.update(data)

    def copy(self) -> "Hashes":
        """The same state, to go on from it twice."""
        return Hashes({name: running.copy() for name, running in self._running.items()})

    def digests(self) -> dict[str, Digest]:
        """The values so far, by algorithm."""
        return {name: Digest(name, running.hexdigest()) for name, running in self._running.items()}

    def claim(self, offset: int) -> Callable[[Sequence[bytes]], None]:  # noqa: ARG002 - all bytes are next
        """How the writer at an offset hashes its bytes; None if they are not next. ``release`` follows in the reactor."""
        return self.update

    def release(self, count: int) -> None:
        """So many bytes were hashed by whoever had the claim."""

    def undo(self) -> None:
        """The bytes of the claim are not written: nothing goes on after that."""

    def follow(self) -> None:
        """More bytes exist."""


@define(eq=False)
class PrefixHashes:
    """Hashes of a contiguous prefix; ``position`` is its length."""

    hashes: Hashes
    _written: Written
    _threads: Threads
    position: int = 0
    _before: Hashes | None = field(default=None, init=False)
    _gap: int = field(default=0, init=False)
    _finishing: OneShot[None] | None = field(default=None, init=False)
    _failure: Failure | None = field(default=None, init=False)
    _stopping: OneShot[None] | None = field(default=None, init=False)

    def claim(self, offset: int) -> Callable[[Sequence[bytes]], None] | None:
        """As ``Hashes.claim``; a small gap in front of the bytes is read back in the same hop."""
        start = self.position
        if self._before is not None or not start <= offset <= start + LAG or self._written.extents.reach(start) < offset:
            return None
        hashes, self._before = self.hashes, self.hashes.copy()

        def update(buffers: Sequence[bytes]) -> None:
            self._read(hashes, start, offset)
            hashes.update(buffers)

        self._gap = offset - start
        return update if start < offset else hashes.update

    def release(self, count: int) -> None:
        """As ``Hashes.release``."""
        self.position += self._gap + count
        self._gap = 0
        self._rest()

    def undo(self) -> None:
        """After a claim: its bytes are not written, and perhaps its thread is not back. They are as if it had not been."""
        if self._before is not None:
            self.hashes = self._before
        self._gap = 0
        self._rest()

    def follow(self) -> None:
        """Read back what exists and isn't hashed, if that is much, or all that there will be."""
        if self._before is not None or self._failure is not None or self._stopping is not None:
            return
        start, reach = self.position, self._written.extents.reach(self.position)
        if reach - start > (0 if self._finishing else LAG):
            hashes, self._before, stop = self.hashes, self.hashes.copy(), min(reach, start + JOB)
            job = self._threads.run(lambda: self._read(hashes, start, stop))
            job.addCallbacks(lambda _: self._was_read(stop - start), self._failed)
        elif self._finishing is not None and not self._finishing.fired:
            self._finishing.fire(None)

    @property
    def error(self) -> BaseException | None:
        """Why what was written cannot be read back."""
        return self._failure.value if self._failure is not None else None

    async def finish(self) -> None:
        """Wait until all that is written is hashed. ``OSError`` if it cannot be read."""
        if self._failure is not None:
            self._failure.raiseException()
        self._finishing = OneShot()
        self.follow()
        await self._finishing.when()

    async def stop(self) -> None:
        """Read nothing back any more; returns when nobody reads, so that the descriptor may be closed."""
        self._stopping = OneShot()
        if self._before is not None:
            await self._stopping.when()

    def leave(self) -> tuple[int, Hashes]:
        """Follow no more, though a thread may be at it; returns up to where they have come, for somebody else."""
        self._stopping = OneShot()
        return self.position, self._before or self.hashes

    def _rest(self) -> None:
        self._before = None
        if self._stopping is not None and not self._stopping.fired:
            self._stopping.fire(None)

    def _was_read(self, count: int) -> None:
        self.release(count)
        self.follow()

    def _failed(self, failure: Failure) -> None:
        self._failure = failure
        self.undo()
        if self._finishing is not None:
            self._finishing.fail(failure)

    def _read(self, hashes: Hashes, start: int, stop: int) -> None:
        """Hash what was written. Blocks."""
        buffer = memoryview(bytearray(min(READ, stop - start)))
        position = start
        while position < stop:
            if self._stopping is not None:
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            count = os.preadv(self._written.fileno(), [buffer[: min(READ, stop - position)]], position)
            if not count:
                raise OSError(errno.EIO, "the spool is shorter than what was written")
            hashes.update([buffer[:count]])  # type: ignore[list-item] # hashlib takes any buffer
            position += count
