"""Ingest: the one way of an upstream's bytes, from the socket into the spool and through the hashes.

Bytes are queued in the reactor and taken, all that are there, by one job at a time on the writer pool, which writes and
hashes them; then the growing blob is told. More than ``HIGH`` queued bytes pause the upstream, less than ``LOW`` resume it, so
memory is bounded whatever the sizes and whoever is slow. A chunk that comes after a pause is taken like any other. A fill has
an ingest for each of its connections; bytes beyond the stretch that a connection is to bring are not taken, and it is cut.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.model.ranges import Span
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.pool import Pool
from regproxy.stream.source import BlobWriter, Source
from regproxy.stream.stretch import Stretch

HIGH = 1 << 20
LOW = 1 << 19


class Hashing(Protocol):
    """How bytes are hashed by whoever writes them (``hashing``)."""

    def claim(self, offset: int) -> Callable[[Sequence[bytes]], None] | None:
        """How to hash the bytes at an offset in the same hop; None if not there."""

    def release(self, count: int) -> None:
        """After a claim: they are hashed."""

    def undo(self) -> None:
        """After a claim: they are not written."""

    def follow(self) -> None:
        """More bytes exist."""


@define(eq=False)
class Ingest:
    """A ``Consumer`` that writes a stretch of a body."""

    _blob: GrowingBlob
    _writer: BlobWriter
    _pool: Pool
    _hashes: Hashing
    _stretch: Stretch = field(factory=Stretch)
    _offset: int = field(init=False)
    _producer: IPushProducer | None = field(default=None, init=False)
    _queue: list[bytes] = field(factory=list, init=False)
    _queued: int = field(default=0, init=False)
    _paused: bool = field(default=False, init=False)
    _job: Deferred[None] | None = field(default=None, init=False)
    _delivery: Deferred[None] | None = field(default=None, init=False)
    _error: Failure | None = field(default=None, init=False)
    _is_cut: bool = field(default=False, init=False)
    _drained: Deferred[None] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._offset = self._stretch.position

    async def run(self, source: Source) -> None:
        """Take a body to its end, or to that of the stretch.

        Raises:
            RegproxyError: what the source says went wrong; UPSTREAM_BAD for more bytes than the limit.
            OSError: the spool cannot be written. Either way all bytes that were taken are written before this returns.
        """
        self._delivery = source.deliver(self)
        if self._is_cut or self._error is not None:  # by what came at once
            self._delivery.cancel()
        try:
            await self._delivery
        except BaseException as error:
            await self._drain()
            self._raise_own()
            if not (self._is_cut and isinstance(error, CancelledError)):
                raise
        await self._drain()
        self._raise_own()

    def start(self, producer: IPushProducer) -> None:
        """Note whom to pause."""
        self._producer = producer

    def write(self, data: bytes) -> None:
        """Queue bytes for the next job."""
        if self._error is not None or self._is_cut:
            return
        taken = self._stretch.take(len(data))
        if taken < len(data) and self._stretch.stop == self._stretch.limit:
            self._give_up(Failure(RegproxyError(Kind.UPSTREAM_BAD, "upstream sent more bytes than it announced")))
            return
        if taken:
            self._queue.append(data if taken == len(data) else data[:taken])
            self._queued += taken
        if self._job is None and self._queue:
            self._begin()
        if self._stretch.is_over:
            self._cut()
        elif self._queued > HIGH and not self._paused and self._producer is not None:
            self._paused = True
            self._producer.pauseProducing()

    def _cut(self) -> None:
        self._is_cut = True
        if self._delivery is not None:
            self._delivery.cancel()

    def _begin(self) -> None:
        buffers, size = self._queue, self._queued
        self._queue, self._queued = [], 0
        offset = self._offset
        self._offset += size
        update = self._hashes.claim(offset)

        def job() -> None:
            # In this order: a write that gets stuck may be taken over, and its bytes are not hashed twice.
            if update is not None:
                update(buffers)
            self._writer.write_at(offset, buffers)

        hashed = size if update is not None else None
        self._job = self._pool.run(job)
        written = Span(offset, offset + size)
        self._job.addCallbacks(lambda _: self._written(written, hashed), lambda why: self._not_written(why, hashed))

    def _written(self, span: Span, hashed: int | None) -> None:
        self._job = None
        if hashed is not None:
            self._hashes.release(hashed)
        if not span.start:
            self._blob.wrote(span)  # somebody waits for the first byte
        if self._queue:
            self._begin()
        if self._paused and self._queued < LOW and self._producer is not None:
            self._paused = False
            self._producer.resumeProducing()
        if span.start:
            self._blob.wrote(span)
        self._hashes.follow()
        self._settle()

    def _not_written(self, failure: Failure, hashed: int | None) -> None:
        self._job = None
        if hashed is not None:
            self._hashes.undo()
        self._give_up(failure)
        self._settle()

    def _give_up(self, failure: Failure) -> None:
        self._queue, self._queued = [], 0
        if self._error is None:
            self._error = failure
            if self._delivery is not None:
                self._delivery.cancel()

    async def _drain(self) -> None:
        """Wait for the job, whoever wants to leave: its thread has the writer's descriptor."""
        while self._job is not None:
            self._drained = Deferred()
            with suppress(CancelledError):
                await self._drained

    def _settle(self) -> None:
        if self._job is None and self._drained is not None:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def _raise_own(self) -> None:
        if self._error is not None:
            self._error.raiseException()
