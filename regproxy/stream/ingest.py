"""Ingest: the one way of an upstream's bytes, from the socket into the spool and through the hashes.

Bytes are queued in the reactor and taken, all that are there, by one job at a time on the writer pool, which writes and
hashes them; then the growing blob is told. More than ``HIGH`` queued bytes pause the upstream, less than ``LOW`` resume it, so
memory is bounded whatever the sizes and whoever is slow. A chunk that comes after a pause is taken like any other.
"""

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest, Hash, new_hash
from regproxy.model.ranges import Span
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.pool import Pool
from regproxy.stream.source import BlobWriter, Source

HIGH = 1 << 20
LOW = 1 << 19


@define(eq=False)
class Hashes:
    """The running hashes of a contiguous prefix: SHA-256, and those that verify the body. Used by one thread at a time."""

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


@define(eq=False)
class Ingest:
    """A ``Consumer`` that writes a body from ``offset`` on; one for each upstream connection of a fill."""

    _blob: GrowingBlob
    _writer: BlobWriter
    _pool: Pool
    _hashes: Hashes
    _offset: int = 0
    _limit: int | None = None
    _producer: IPushProducer | None = field(default=None, init=False)
    _queue: list[bytes] = field(factory=list, init=False)
    _queued: int = field(default=0, init=False)
    _paused: bool = field(default=False, init=False)
    _job: Deferred[None] | None = field(default=None, init=False)
    _delivery: Deferred[None] | None = field(default=None, init=False)
    _error: Failure | None = field(default=None, init=False)
    _drained: Deferred[None] | None = field(default=None, init=False)

    async def run(self, source: Source) -> None:
        """Take a body to its end.

        Raises:
            RegproxyError: what the source says went wrong; UPSTREAM_BAD for more bytes than the limit.
            OSError: the spool cannot be written. Either way all bytes that were taken are written before this returns.
        """
        self._delivery = source.deliver(self)
        try:
            await self._delivery
        except BaseException:
            await self._drain()
            self._raise_own()
            raise
        await self._drain()
        self._raise_own()

    def start(self, producer: IPushProducer) -> None:
        """Note whom to pause."""
        self._producer = producer

    def write(self, data: bytes) -> None:
        """Queue bytes for the next job."""
        if self._error is not None:
            return
        if self._limit is not None and self._offset + self._queued + len(data) > self._limit:
            self._give_up(Failure(RegproxyError(Kind.UPSTREAM_BAD, "upstream sent more bytes than it announced")))
            return
        self._queue.append(data)
        self._queued += len(data)
        if self._job is None:
            self._begin()
        elif self._queued > HIGH and not self._paused and self._producer is not None:
            self._paused = True
            self._producer.pauseProducing()

    def _begin(self) -> None:
        buffers, size = self._queue, self._queued
        self._queue, self._queued = [], 0
        offset = self._offset
        # It moves now, so that ``write`` counts from the right place; the blob is told when the bytes are written.
        self._offset += size

        def job() -> None:
            # In this order: a write that gets stuck may be taken over, and its bytes are not hashed twice.
            self._hashes.update(buffers)
            self._writer.write_at(offset, buffers)

        self._job = self._pool.run(job)
        self._job.addCallbacks(lambda _: self._written(Span(offset, offset + size)), self._not_written)

    def _written(self, span: Span) -> None:
        self._job = None
        if self._queue:
            self._begin()
        if self._paused and self._queued < LOW and self._producer is not None:
            self._paused = False
            self._producer.resumeProducing()
        self._blob.wrote(span)
        self._settle()

    def _not_written(self, failure: Failure) -> None:
        self._job = None
        self._give_up(failure)
        self._settle()

    def _give_up(self, failure: Failure) -> None:
        self._queue, self._queued = [], 0
        if self._error is None:
            self._error = failure
            if self._delivery is not None:
                self._delivery.cancel()

    async def _drain(self) -> None:
        if self._job is not None:
            self._drained = Deferred()
            await self._drained

    def _settle(self) -> None:
        if self._job is None and self._drained is not None:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def _raise_own(self) -> None:
        if self._error is not None:
            self._error.raiseException()
