"""One body from upstream to the store: received, resumed when it is cut, verified, committed.

Rules:

1. A body is complete by its framing, has the length that was promised and the digests that were promised, or it is not stored.
2. It is continued after a cut only with a known length and a digest or a strong validator, by Range and If-Range. An answer
   that does not continue exactly there ends it: nothing is spliced.
3. The verdict is known before the tail is let go. Then the readers have everything; storing it comes after.
"""

import os
from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest, new_hash
from regproxy.model.headers import Headers
from regproxy.model.ranges import parse_content_range
from regproxy.model.retry import retry_after
from regproxy.model.waybill import Waybill
from regproxy.repo.parking import Parked
from regproxy.repo.parts import Parts
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.ingest import Hashes, Ingest
from regproxy.stream.source import BlobWriter, Source
from regproxy.upstream.interface import Reply

RESUMES = 5
RESUME_WAIT = 0.5
RESUME_LATEST = 60.0
READ = 1 << 20
TRANSIENT = (Kind.UPSTREAM_DOWN, Kind.UPSTREAM_SLOW, Kind.UPSTREAM_BUSY)
READS_A_JOB = 8

# Below this a body is sooner fetched again than kept.
KEPT_FROM = 1 << 20

Ask = Callable[[Headers], Awaitable[Reply]]
Promise = Callable[[], Awaitable[Sequence[Digest]]]


@define(eq=False)
class Fill:
    """A body on its way. ``ask`` repeats the request from its first hop, with further headers."""

    _parts: Parts
    waybill: Waybill
    blob: GrowingBlob
    _writer: BlobWriter
    _hashes: Hashes
    _ask: Ask
    _running: "Deferred[None] | None" = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    @classmethod
    async def begin(
        cls,
        parts: Parts,
        waybill: Waybill,
        ask: Ask,
        *,
        withheld: bool,
        keepable: bool,
        deserted: Callable[[], None],
    ) -> "Fill":
        """Open a spool for a body. ``OSError`` if there is no room."""
        length = waybill.length
        worth = keepable and waybill.can_continue and length is not None and length >= KEPT_FROM
        about = waybill.to_json() if worth else None
        writer = await parts.writers.run(lambda: parts.store.create(length, about))
        blob = GrowingBlob.over(writer.fileno(), length, withheld=withheld or bool(waybill.digests), deserted=deserted)
        return cls(parts, waybill, blob, writer, Hashes.of(waybill.digests, length), ask)

    @classmethod
    async def resume(
        cls, parts: Parts, parked: Parked, ask: Ask, *, withheld: bool, deserted: Callable[[], None]
    ) -> "Fill | None":
        """Open the spool of a parked fill again; None if it is gone. ``OSError`` if there is no room."""
        writer = await parts.parking.resume(parked)
        if writer is None:
            return None
        waybill = parked.waybill
        blob = GrowingBlob.over(writer.fileno(), waybill.length, withheld=withheld or bool(waybill.digests), deserted=deserted)
        for span in parked.left.extents:
            blob.extents.add(span)
        fill = cls(parts, waybill, blob, writer, Hashes.of(waybill.digests, waybill.length), ask)
        for offset in range(0, fill.received, READ * READS_A_JOB):
            await parts.writers.run(lambda start=offset: fill._hash_prefix(start))  # type: ignore[misc]
        return fill

    def _hash_prefix(self, start: int) -> None:
        """Hash the next bytes of what was received by a fill before. Blocks."""
        stop = min(self.received, start + READ * READS_A_JOB)
        for offset in range(start, stop, READ):
            self._hashes.update([os.pread(self.blob.fileno(), min(READ, stop - offset), offset)])

    @property
    def received(self) -> int:
        """Bytes of the prefix that are in the spool."""
        return self.blob.extents.reach(0)

    def stop(self) -> None:
        """Nobody wants it any more: stop receiving. ``receive`` raises ``CancelledError``."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()

    async def receive(self, source: Source) -> None:
        """Take the whole body, continuing it where it is cut."""
        failures = 0
        while True:
            before = self.received
            try:
                await self._take(source)
            except RegproxyError as error:
                failures = 1 if self.received > before else failures + 1
                if not self._resumable(error) or failures > RESUMES:
                    raise
                wait = RESUME_WAIT * 2 ** (failures - 1)
                if error.retry_after is not None:
                    wait = max(wait, min(error.retry_after, RESUME_LATEST))
                await deferLater(self._parts.clock, wait)
                source = await self._continued(error)
            else:
                return

    async def _take(self, source: Source) -> None:
        ingest = Ingest(self.blob, self._writer, self._parts.writers, self._hashes, self.received, self.blob.size)
        if self._stopped:
            source.abort()
            raise CancelledError
        self._running = Deferred.fromCoroutine(ingest.run(source))
        try:
            await self._running
        finally:
            self._running = None
        if self.blob.size is not None and self.received < self.blob.size:
            raise RegproxyError(Kind.UPSTREAM_DOWN, "upstream sent fewer bytes than it announced")

    def _resumable(self, error: RegproxyError) -> bool:
        return error.kind in TRANSIENT and not self._stopped and self.waybill.can_continue

    async def go_on(self) -> Source:
        """After ``stop``: ask for the rest. ``RegproxyError`` if upstream does not continue the body."""
        self._stopped = False
        return await self._continued(RegproxyError(Kind.UPSTREAM_DOWN, "it was left for a while"))

    async def _continued(self, cause: RegproxyError) -> Source:
        position, validator = self.received, self.waybill.validator
        if position == self.blob.size:
            return _Nothing()
        headers = [("range", f"bytes={position}-")]
        if validator:
            headers.append(("if-range", validator))
        try:
            reply = await self._ask(Headers(tuple(headers)))
        except RegproxyError as error:
            return _Unreachable(error)
        continues = parse_content_range(reply.headers.first("content-range") or "")
        etag = reply.headers.first("etag")
        same = not (validator and etag) or etag == validator
        if reply.status == 206 and continues and same:  # noqa: PLR2004 - Partial Content
            span, whole = continues
            if (span.start, span.stop, whole) == (position, self.blob.size, self.blob.size):
                return reply.source
        reply.source.abort()
        if reply.status >= 500 or reply.status == 429:  # noqa: PLR2004 - perhaps later
            return _Unreachable(RegproxyError(cause.kind, cause.text, retry_after=retry_after(reply.headers)))
        raise RegproxyError(Kind.UPSTREAM_BAD, "upstream broke off, and does not continue the body where it did") from cause

    async def verify(self, promised: Promise | None) -> dict[str, Digest]:
        """Compare the body with all that was promised; returns its digests. ``RegproxyError`` (INTEGRITY) if it is another
        body.
        """
        expected = [*self.waybill.digests, *(await promised() if promised else ())]
        found = self._hashes.digests()
        for digest in expected:
            if digest.algorithm not in found:
                value = await self._parts.writers.run(lambda name=digest.algorithm: self._hash_again(name))  # type: ignore[misc]
                found[digest.algorithm] = Digest(digest.algorithm, value)
            if found[digest.algorithm] != digest:
                raise RegproxyError(
                    Kind.INTEGRITY,
                    "upstream's bytes are not those that were promised",
                    detail=f"expected {digest}, got {found[digest.algorithm]}",
                )
        return found

    def _hash_again(self, algorithm: str) -> str:
        """Hash the spool with an algorithm that was not known, or not possible, from the start. Blocks."""
        running = new_hash(algorithm, self.received)
        for offset in range(0, self.received, READ):
            running.update(os.pread(self.blob.fileno(), READ, offset))
        return running.hexdigest()

    async def commit(self, sha256: str) -> None:
        """Put it into the store."""
        await self._parts.writers.run(lambda: self._writer.commit(sha256, durable=False))

    async def park(self, reason: BaseException) -> None:
        """Fail its readers, but keep what was received for the next fill, and let the blob go."""
        self.blob.fail(reason)
        try:
            await self._parts.parking.put(self.waybill, self._writer)
        finally:
            self.blob.release()

    async def discard(self) -> None:
        """Remove what was received."""
        await self._parts.writers.run(self._writer.abort)

    async def give_up(self, reason: BaseException) -> None:
        """Fail its readers, remove what was received, and let the blob go."""
        self.blob.fail(reason)
        try:
            await self.discard()
        finally:
            self.blob.release()


@frozen
class _Nothing:
    """The rest of a body that is there already."""

    length: int = 0

    def deliver(self, consumer: object) -> Deferred[None]:  # noqa: ARG002 - gets nothing
        return succeed(None)

    def abort(self) -> None:
        """Nothing is open."""


@define(eq=False)
class _Unreachable:
    """A source that fails as its connection attempt did, so that trying again is written once."""

    _error: RegproxyError
    length: int | None = None

    def deliver(self, consumer: object) -> Deferred[None]:  # noqa: ARG002 - gets nothing
        failed: Deferred[None] = Deferred()
        failed.errback(self._error)
        return failed

    def abort(self) -> None:
        """Nothing is open."""
