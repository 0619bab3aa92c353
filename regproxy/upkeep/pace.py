"""How fast stored bytes are read again, and the reading: in threads, slice by slice, without driving others out of memory."""

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


async def hash_blob(reader: BlobReader, readers: WriterPool, pace: Pace) -> str:
    """The SHA-256 of an open blob; ``OSError`` if it cannot be read or is shorter than it was."""
    running = hashlib.sha256()
    for start in range(0, reader.size, SLICE):
        stop = min(start + SLICE, reader.size)

        def job(start: int = start, stop: int = stop) -> None:
            _hash_slice(running, reader.fileno(), start, stop)

        await readers.run(job)
        await pace.took(stop - start)
    return running.hexdigest()


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
