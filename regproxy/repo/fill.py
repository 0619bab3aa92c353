"""One body from upstream to the store: received, verified, committed, or kept for another fill.

Rules:

1. A body is complete by its framing, has the length that was promised and the digests that were promised, or it is not stored.
2. It is continued after a cut, and brought by more than one connection, only with a known length and a digest or a strong
   validator (``connections``). What does not continue exactly there ends it: nothing is spliced.
3. The verdict is known before the tail is let go. Then the readers have everything; storing it comes after.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest, new_hash
from regproxy.model.ranges import Span
from regproxy.model.settings import RepositorySettings
from regproxy.model.waybill import Waybill
from regproxy.repo.asking import TRANSIENT, Ask, Asking
from regproxy.repo.connections import Connections, Way
from regproxy.repo.detour import detour
from regproxy.repo.parking import Parked, missing
from regproxy.repo.parts import Parts
from regproxy.repo.schedule import Claim, Schedule
from regproxy.stream.enduring import EnduringWriter, is_trouble
from regproxy.stream.hashing import Hashes, PrefixHashes
from regproxy.stream.ingest import Ingest
from regproxy.stream.lane import Lane, Timely, in_time
from regproxy.stream.passing import PassingBlob
from regproxy.stream.source import BlobWriter, Source
from regproxy.stream.spawn import spawn
from regproxy.stream.stretch import Stretch
from regproxy.stream.window import Window

T = TypeVar("T")

READ = 1 << 20

# Below this a body is sooner fetched again than kept.
KEPT_FROM = 1 << 20

Promise = Callable[[], Awaitable[Sequence[Digest]]]


@frozen
class Terms:
    """How a fill is brought.

    Attributes:
        ask: repeats the request with further headers, from its first hop or from another address.
        way: by how many connections, and how much of it.
        withheld: a verdict will be awaited, though no digest is known yet.
        deserted: called when the last reader has left.
    """

    ask: Ask
    way: Way
    withheld: bool
    deserted: Callable[[], None]


@define(eq=False)
class Fill:
    """A body on its way."""

    parts: Parts
    waybill: Waybill
    terms: Terms
    blob: PassingBlob
    writer: EnduringWriter
    _hashes: PrefixHashes
    lane: Lane = field(init=False)
    _schedule: Schedule = field(init=False)
    _asking: Asking = field(init=False)
    _first: Claim | None = field(default=None, init=False)
    _receiving: "Callable[[], None] | None" = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._take_up()
        self._schedule = Schedule(self.blob, self.waybill.length or 0)
        self._asking = Asking(self.waybill, self.terms.ask)

    def _take_up(self) -> None:
        parts = self.parts
        self.lane = Lane(self.writer, parts.writers, parts.room.rescue, parts.clock, self._hashes)
        self.blob.writer = self.writer
        self.blob.begin()

    @classmethod
    def begin(cls, parts: Parts, waybill: Waybill, terms: Terms, writer: EnduringWriter) -> "Fill":
        """Begin with a body, which is written by ``writer``, whatever happens to the disk."""
        blob = _blob(waybill, terms, writer)
        hashes = prefix_hashes(parts, Hashes.of(waybill.digests, waybill.length), blob)
        fill = cls(parts, waybill, terms, blob, writer, hashes)
        fill._allow_detours()
        return fill

    @classmethod
    async def resume(cls, parts: Parts, settings: RepositorySettings, parked: Parked, terms: Terms) -> "Fill | None":
        """Open the spool of a parked fill again; None if it is gone, or there is no room for the rest. May raise ``OSError``.

        What is received first is to begin with its ``missing``.
        """
        waybill, spans = parked.waybill, parked.left.extents
        begun = await parts.room.berth(settings, waybill.length, lambda: parts.parking.resume(parked), parked.left.used)
        berth, spool = begun or (None, None)
        if berth is None or spool is None:
            return None
        try:
            blob = _blob(waybill, terms, spool)
        except OSError:  # no descriptor to be had
            await parts.writers.run(lambda: spool.keep(durable=False))
            berth.leave()
            raise
        for span in spans:
            blob.extents.add(span)
        hashes = prefix_hashes(parts, Hashes.of(waybill.digests, waybill.length), blob)
        fill = cls(parts, waybill, terms, blob, EnduringWriter(spool, end=blob.extents.reach(0), allowance=berth), hashes)
        fill._allow_detours()
        fill._begin_with(parked.missing)
        hashes.follow()
        return fill

    def _allow_detours(self) -> None:
        if self.waybill.digests or not self.terms.withheld:  # else nobody could verify what a detour brings
            self.blob.branch = lambda offset: Deferred.fromCoroutine(detour(self, offset))

    @property
    def received(self) -> int:
        """Bytes of the prefix that are in the spool."""
        return self.blob.extents.reach(0)

    def stop(self) -> None:
        """Nobody wants it any more: stop receiving. ``receive`` raises ``CancelledError``."""
        self._stopped = True
        if self._receiving is not None:
            self._receiving()
        if self.writer.window is not None:  # what waits for room in it is let go last: it is no failure that is to be made good
            self.writer.window.interrupt()

    async def receive(self, source: Source) -> None:
        """Take the whole body, continuing it where it is cut."""
        if self._stopped:
            source.abort()
            raise CancelledError
        try:
            await (self._by_connections(source) if self.waybill.can_continue else self._by_one(source))
        finally:
            self._receiving = None

    async def _by_one(self, source: Source) -> None:
        """What cannot be continued comes by one connection, or not at all."""
        size = self.blob.size
        ingest = Ingest(self.blob, self.writer, self.lane, self._hashes, Stretch(0, size, size))
        running = Deferred.fromCoroutine(ingest.run(source))
        self._receiving = running.cancel
        await running
        if size is not None and self.received < size:
            raise RegproxyError(Kind.UPSTREAM_DOWN, "upstream sent fewer bytes than it announced")

    async def _by_connections(self, source: Source) -> None:
        claim, self._first = self._first or self._schedule.whole(), None
        clock, way = self.parts.clock, self.terms.way
        connections = Connections(self.blob, self.writer, self.lane, self._hashes, clock, self._asking, self._schedule, way)
        self._receiving = connections.stop
        try:
            await connections.run(claim, source)
        except OSError as error:
            if self.blob.is_passing or not is_trouble(error):
                raise
            self._turn_back(error)
        else:
            return
        if self._stopped:
            raise CancelledError
        await self.receive(await self.go_on())

    def _turn_back(self, error: OSError) -> None:
        """The disk fails, and the bytes did not come in order: from where they are hashed on they come again, through a window.

        Whatever thread is stuck in the disk keeps the writer and the hashes that it has, which are nobody's any more.
        """
        at, hashes = self._hashes.leave()
        self.free()
        self.writer = EnduringWriter.through(Window.open(at, bounded=True, reader=self.received), error)
        self._hashes = prefix_hashes(self.parts, hashes, self.blob, at)
        self._take_up()

    async def go_on(self) -> Source:
        """After ``stop``: ask for what is missing. ``RegproxyError`` if upstream does not continue the body.

        If it is stopped meanwhile, or upstream cannot be asked now, that is what ``receive`` says.
        """
        self._stopped = False
        if self.writer.window is not None:
            self.writer.window.interrupt(going_on=True)
        if self._first is not None:  # stopped before it had begun
            self._schedule.drop(self._first)
        hole = missing(self.blob.extents, self._schedule.size)
        self._begin_with(hole)
        asked = Deferred.fromCoroutine(ask_for(self._asking, hole))
        self._receiving = asked.cancel
        try:
            return await asked
        except (CancelledError, RegproxyError) as error:
            if isinstance(error, RegproxyError) and error.kind not in TRANSIENT:
                raise
            return Instead(fail(error))
        finally:
            self._receiving = None

    def _begin_with(self, hole: Span) -> None:
        """What is received first."""
        self._first = self._schedule.claim(hole)
        self._first.confirmed = True

    async def verify(self, promised: Promise | None) -> dict[str, Digest]:
        """Compare the body with all that was promised; returns its digests. ``RegproxyError`` (INTEGRITY) if it is another
        body.
        """
        expected = [*self.waybill.digests, *(await promised() if promised else ())]
        await self._hashes.finish()
        found = self._hashes.hashes.digests()
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
        committed = self.parts.writers.run(lambda: self.writer.commit(sha256, durable=False, claim=True))
        await in_time(self.parts.clock, committed, lambda _: self.settle())

    def settle(self) -> None:
        """After ``commit``: its row is written, or never will be."""
        spawn(_awaited(self.parts.writers.run(self.writer.settle)), "giving up a claim")

    async def park(self, reason: BaseException) -> None:
        """Fail its readers, but keep what was received for the next fill, and let the blob go."""
        self.blob.fail(reason)
        await self._hashes.stop()
        try:
            await self.parts.parking.put(self.waybill, self.writer)
        finally:
            self.blob.release()

    async def discard(self) -> None:
        """Remove what was received; a disk that is in trouble is not waited for."""
        removal = self.free()
        if not self.blob.is_passing:
            with suppress(TimeoutError):
                await in_time(self.parts.clock, removal)

    def free(self) -> "Deferred[object]":
        """Remove the spool; its readers have a descriptor."""
        return spawn(_awaited(self.parts.writers.run(self.writer.abort)), "removing a spool")

    async def give_up(self, reason: BaseException) -> None:
        """Fail its readers, remove what was received, and let the blob go."""
        self.blob.fail(reason)
        if not self.blob.is_passing:  # whose disk may never answer
            await self._hashes.stop()
        try:
            await self.discard()
        finally:
            self.blob.release()


def prefix_hashes(parts: Parts, hashes: Hashes, blob: PassingBlob, at: int = 0) -> PrefixHashes:
    """The hashes of a body from an offset on; a disk that does not let it be read back is not waited for."""
    return PrefixHashes(hashes, blob, Timely(parts.writers, parts.clock), at)


async def _awaited(deferred: "Deferred[T]") -> T:
    return await deferred


def _blob(waybill: Waybill, terms: Terms, writer: BlobWriter) -> PassingBlob:
    withheld = terms.withheld or bool(waybill.digests)
    return PassingBlob.over(writer.fileno(), waybill.length, withheld=withheld, deserted=terms.deserted)


async def ask_for(asking: Asking, hole: Span) -> Source:
    """Ask for what is missing, if anything is."""
    return await asking.part(hole) if len(hole) else Instead(succeed(None))


@frozen(eq=False)
class Instead:
    """In place of a connection: it has brought nothing, or could not be made, which is tried again like one that broke."""

    _outcome: Deferred[None]
    length: int | None = None

    def deliver(self, consumer: object) -> Deferred[None]:  # noqa: ARG002 - gets nothing
        """Say so."""
        return self._outcome

    def abort(self) -> None:
        """Nothing is open."""
        self._outcome.addErrback(lambda _: None)
