"""Stored bytes read again to see whether they are still the right ones: in threads, slice by slice, at a pace, and without
driving what others have in memory out of it.
"""

import errno
import hashlib
import os

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from regproxy.stream import pages
from regproxy.stream.pool import WriterPool
from regproxy.stream.source import BlobReader

SLICE = 4 << 20
READ = 1 << 20


@define(eq=False)
class Pace:
    """At most ``rate`` bytes per second on the average of a whole run; None: as fast as it goes."""

    _clock: IReactorTime
    rate: float | None = None
    _free_at: float = field(init=False, default=0.0)

    async def took(self, count: int) -> None:
        """Wait until so many bytes more may have been read."""
        if not self.rate:
            return
        now = self._clock.seconds()
        self._free_at = max(self._free_at, now) + count / self.rate
        if self._free_at > now:
            await deferLater(self._clock, self._free_at - now)


@define(eq=False)
class Rehash:
    """The SHA-256 of an open blob, a slice at a time."""

    _reader: BlobReader
    _readers: WriterPool
    _running: "hashlib._Hash" = field(init=False, factory=hashlib.sha256)
    offset: int = field(init=False, default=0)

    @property
    def done(self) -> bool:
        """Whether all of it was read."""
        return self.offset >= self._reader.size

    async def advance(self) -> int:
        """Read a slice; how many bytes that were. ``OSError`` if it cannot be read, or the file is shorter than it was."""
        start, stop = self.offset, min(self.offset + SLICE, self._reader.size)
        await self._readers.run(lambda: _hash_slice(self._running, self._reader.fileno(), start, stop))
        self.offset = stop
        return stop - start

    def hexdigest(self) -> str:
        """The value so far."""
        return self._running.hexdigest()


async def hash_blob(reader: BlobReader, readers: WriterPool, pace: Pace | None = None) -> str:
    """The SHA-256 of an open blob; ``OSError`` as above."""
    rehash = Rehash(reader, readers)
    while not rehash.done:
        count = await rehash.advance()
        if pace is not None:
            await pace.took(count)
    return rehash.hexdigest()


def _hash_slice(running: "hashlib._Hash", descriptor: int, start: int, stop: int) -> None:
    was_cold = not pages.is_hot(descriptor, start, stop - start)
    offset = start
    while offset < stop:
        data = os.pread(descriptor, min(READ, stop - offset), offset)
        if not data:
            raise OSError(errno.EIO, "the file is shorter than it was")
        running.update(data)
        offset += len(data)
    if was_cold:  # what nobody else had in memory need not stay there
        os.posix_fadvise(descriptor, start, stop - start, os.POSIX_FADV_DONTNEED)
