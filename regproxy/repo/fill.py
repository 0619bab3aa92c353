"""One body from upstream to the store: received, resumed when it is cut, verified, committed.

Rules:

1. A body is complete by its framing, has the length that was promised and the digests that were promised, or it is not stored.
2. It is continued after a cut only with a known length and a digest or a strong validator, by Range and If-Range. An answer
   that does not continue exactly there ends it: nothing is spliced.
3. The verdict is known before the tail is let go. Then the readers have everything; storing it comes after.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest, new_hash
from regproxy.model.headers import Headers
from regproxy.model.ranges import parse_content_range
from regproxy.model.retry import retry_after
from regproxy.model.waybill import Waybill
from regproxy.repo.detour import detour
from regproxy.repo.parking import Parked
from regproxy.repo.parts import Parts
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.ingest import Hashes, Ingest
from regproxy.stream.lane import Lane, in_time
from regproxy.stream.passing import PassingBlob
from regproxy.stream.source import Source
from regproxy.stream.spawn import spawn
from regproxy.upstream.interface import Reply

T = TypeVar("T")

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

    parts: Parts
    waybill: Waybill
    blob: PassingBlob
    writer: EnduringWriter
    _hashes: Hashes
    ask: Ask
    lane: Lane = field(init=False)
    _running: "Deferred[None] | None" = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        parts = self.parts
        self.lane = Lane(self.writer, parts.writers, parts.room.rescue, parts.clock, self._hashes)
        self.blob.writer = self.writer
        self.blob.begin()

    @classmethod
    def begin(
        cls,
        parts: Parts,
        waybill: Waybill,
        ask: Ask,
        writer: EnduringWriter,
        *,
        withheld: bool,
        deserted: Callable[[], None],
    ) -> "Fill":
        """Begin with a body, which is written by ``writer``, whatever happens to the disk."""
        blob = PassingBlob.over(writer.fileno(), waybill.length, withheld=withheld or bool(waybill.digests), deserted=deserted)
        fill = cls(parts, waybill, blob, writer, Hashes.of(waybill.digests, waybill.length), ask)
        fill._allow_detours(withheld=withheld)
        return fill

    @classmethod
    async def resume(
        cls, parts: Parts, parked: Parked, ask: Ask, *, withheld: bool, deserted: Callable[[], None]
    ) -> "Fill | None":
        """Open the spool of a parked fill again; None if it is gone. ``OSError`` if there is no room."""
        spool = await parts.parking.resume(parked)
        if spool is None:
            return None
        waybill = parked.waybill
        blob = PassingBlob.over(spool.fileno(), waybill.length, withheld=withheld or bool(waybill.digests), deserted=deserted)
        for span in parked.left.extents:
            blob.extents.add(span)
        writer = EnduringWriter(spool, end=blob.extents.reach(0))
        fill = cls(parts, waybill, blob, writer, Hashes.of(waybill.digests, waybill.length), ask)
        fill._allow_detours(withheld=withheld)
        for offset in range(0, fill.received, READ * READS_A_JOB):
            await parts.writers.run(lambda start=offset: fill._hash_prefix(start))  # type: ignore[misc]
        return fill

    def _allow_detours(self, *, withheld: bool) -> None:
        if self.waybill.digests or not withheld:  # else nobody could verify what a detour brings
            self.blob.branch = lambda offset: Deferred.fromCoroutine(detour(self, offset))

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
        if self.writer.window is not None:
            self.writer.window.interrupt()
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
                await deferLater(self.parts.clock, wait)
                source = await self._continued(error)
            else:
                return

    async def _take(self, source: Source) -> None:
        ingest = Ingest(self.blob, self.writer, self.lane, self._hashes, self.received, self.blob.size)
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
        if self.writer.window is not None:
            self.writer.window.interrupt(going_on=True)
        return await self._continued(RegproxyError(Kind.UPSTREAM_DOWN, "it was left for a while"))

    async def _continued(self, cause: RegproxyError) -> Source:
        position, validator = self.received, self.waybill.validator
        if position == self.blob.size:
            return _Nothing()
        headers = [("range", f"bytes={position}-")]
        if validator:
            headers.append(("if-range", validator))
        try:
            reply = await self.ask(Headers(tuple(headers)))
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
            if digest.algorithm not in found and self.blob.is_passing:
                raise RegproxyError(Kind.INTEGRITY, "there is no room to verify it by what upstream says of it")
            if digest.algorithm not in found:
                value = await self.parts.writers.run(lambda name=digest.algorithm: self._hash_again(name))  # type: ignore[misc]
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
        """Put it into the store; nobody deletes it before ``settle``. ``OSError`` if it cannot be stored in time."""
        given_up = False

        def job() -> None:
            self.writer.commit(sha256, durable=False, claim=True)
            if given_up:
                self.writer.settle()

        try:
            await in_time(self.parts.clock, self.parts.writers.run(job))
        except TimeoutError:
            given_up = True
            raise

    def settle(self) -> None:
        """After ``commit``: its row is written, or never will be."""
        spawn(_awaited(self.parts.writers.run(self.writer.settle)), "giving up a claim")

    async def park(self, reason: BaseException) -> None:
        """Fail its readers, but keep what was received for the next fill, and let the blob go."""
        self.blob.fail(reason)
        try:
            await self.parts.parking.put(self.waybill, self.writer)
        finally:
            self.blob.release()

    async def discard(self) -> None:
        """Remove what was received; a disk that is in trouble is not waited for."""
        removal = self.free()
        if not self.blob.is_passing:
            await removal

    def free(self) -> "Deferred[object]":
        """Remove the spool; its readers have a descriptor."""
        return spawn(_awaited(self.parts.writers.run(self.writer.abort)), "removing a spool")

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


async def _awaited(deferred: "Deferred[T]") -> T:
    return await deferred


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
