"""Uploads that come in pieces, each in a request of its own, perhaps to another process, perhaps after a restart.

Rules:

1. A session is a spool file and its journal, and nothing else: what the store does not have of it does not exist.
2. One request writes to it: the one that holds the file's lock. What is there is looked at under that lock.
3. The hashes so far are remembered where the last piece came; whoever does not have them reads the bytes back. They only save
   time: what was not hashed in order by ourselves, without trouble, is hashed again.
4. A piece that is cut stays as far as it came. Nothing of it can be seen before ``finish``.
"""

from collections import OrderedDict
from contextlib import suppress

from attrs import define, field

from regproxy.errors import Kind, RegproxyError
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest, new_hash
from regproxy.model.ranges import Extents, Span
from regproxy.model.session import NAME, Session, place
from regproxy.repo.intake import ALGORITHMS, Intake, check, told
from regproxy.repo.interface import Receipt
from regproxy.repo.parts import Parts
from regproxy.stream.apart import apart
from regproxy.stream.capped import Capped
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.hashing import Hashes, PrefixHashes
from regproxy.stream.ingest import Ingest
from regproxy.stream.pool import Pool
from regproxy.stream.source import BlobWriter, Source
from regproxy.stream.stretch import Stretch

REMEMBERED = 1000
"""Sessions whose hashes are kept between their requests."""

Hashed = tuple[Hashes, int]

_ENDING = (Kind.TOO_LARGE, Kind.NO_ROOM)


@define(eq=False)
class _Open:
    """A session whose lock we hold."""

    writer: BlobWriter
    blob: GrowingBlob
    hashes: PrefixHashes
    pool: Pool

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.blob.extents.reach(0)

    async def close(self) -> None:
        """Nobody reads or writes behind this."""
        await self.hashes.stop()
        self.blob.release()


@define(eq=False)
class Sessions:
    """The sessions of one repository (``repo.interface.Pieces``)."""

    _parts: Parts
    _intake: Intake
    _hashed: OrderedDict[str, Hashed] = field(factory=OrderedDict, init=False)

    async def begin(self, subject: str) -> str:
        """Begin a spool file with a journal, and let go of it."""
        refusal = self._intake.refusal(place(subject))
        if refusal is not None:
            raise RegproxyError(Kind.DENIED, refusal)
        about = Session(self._intake.key, subject).to_json()

        def create() -> str | None:
            writer = self._parts.store.create(None, about)
            name = writer.name
            return name if writer.keep(durable=False) else None

        try:
            name = await self._parts.writers.run(create)
        except OSError as error:
            raise told(error) from error
        if name is None:
            raise RegproxyError(Kind.STORAGE, "this store keeps no uploads between requests")
        return name

    async def received(self, name: str, subject: str) -> int:
        """Look into the journal."""
        size = await self._parts.readers.run(lambda: self._look(name, subject))
        if size is None:
            raise _unknown()
        return size

    async def append(self, name: str, subject: str, source: Source, at: int | None = None) -> int:
        """Add a body."""
        return await apart(self._append(name, subject, source, at), f"a piece of an upload to {self._intake.key}")

    async def finish(self, name: str, upload: Upload, subject: str, source: Source, at: int | None = None) -> Receipt:
        """Add the last body, verify, commit, publish."""
        return await apart(self._finish(name, upload, subject, source, at), f"an upload to {self._intake.key}")

    async def cancel(self, name: str, subject: str) -> None:
        """Remove the spool file."""
        await self.received(name, subject)
        if not await self._remove(name):
            raise _busy()

    async def _remove(self, name: str) -> bool:
        """Remove a spool file; False, and it stays, if somebody writes to it."""
        writer = await self._parts.writers.run(lambda: self._parts.store.resume(name, None))
        if writer is None:
            return False
        await self._parts.writers.run(writer.abort)
        self._hashed.pop(name, None)
        return True

    async def _append(self, name: str, subject: str, source: Source, at: int | None) -> int:
        session = await self._opened(name, subject, source, at, ALGORITHMS)
        await self._take(name, session, Upload(place(subject, name)), source)
        await self._leave(name, session)
        return session.size

    async def _finish(self, name: str, upload: Upload, subject: str, source: Source, at: int | None) -> Receipt:
        algorithms = (*ALGORITHMS, *(digest.algorithm for digest in upload.promised))
        session = await self._opened(name, subject, source, at, algorithms)
        await self._take(name, session, upload, source)
        writers = self._parts.writers
        try:
            digests = await self._verdict(upload, session)
            await self._parts.syncs.run(lambda: session.writer.commit(digests["sha256"].hex, durable=True, claim=True))
        except BaseException as error:
            await writers.run(session.writer.abort)
            raise told(error) from error
        finally:
            await session.close()
        try:
            return await self._intake.publish(upload, session.size, digests)
        finally:
            await writers.run(session.writer.settle)

    async def _verdict(self, upload: Upload, session: _Open) -> dict[str, Digest]:
        await session.hashes.finish()
        digests = session.hashes.hashes.digests()
        check(upload.promised, digests)
        return digests

    async def _take(self, name: str, session: _Open, upload: Upload, source: Source) -> None:
        """Write a body behind what is there; if that fails the session is let go of, and ended if there is no room for it."""
        try:
            taken = await self._capped(session, upload, source)
            await Ingest(session.blob, session.writer, session.pool, session.hashes, Stretch(session.size)).run(taken)
        except BaseException as error:
            said = told(error)
            if isinstance(said, RegproxyError) and said.kind in _ENDING:
                await session.close()
                await self._parts.writers.run(session.writer.abort)  # nobody goes on with what may not be there, or has no room
            else:
                await self._leave(name, session, is_hashed=isinstance(error, RegproxyError))
            raise said from error

    async def _capped(self, session: _Open, upload: Upload, source: Source) -> Source:
        try:
            room = await self._intake.admit(upload, None)
            left = 0 if room is None else room.size - session.size
            if room is not None and left < (source.length or 0):
                raise room.error
        except BaseException:
            source.abort()
            raise
        return source if room is None else Capped(source, left, room.error)

    async def _opened(self, name: str, subject: str, source: Source, at: int | None, algorithms: tuple[str, ...]) -> _Open:
        """Get the lock, and see what is there; a session whose next piece there is no room for ends."""
        try:
            return await self._open(name, subject, source.length, at, algorithms)
        except BaseException as error:
            source.abort()
            said = told(error)
            if isinstance(said, RegproxyError) and said.kind is Kind.NO_ROOM:
                with suppress(OSError):
                    await self._remove(name)
            raise said from error

    async def _open(self, name: str, subject: str, length: int | None, at: int | None, algorithms: tuple[str, ...]) -> _Open:
        parts = self._parts
        seen = await self.received(name, subject)
        if at is not None and at != seen:
            raise _not_next(seen)
        berth, pool = await parts.room.make(length)
        try:
            writer = await parts.writers.run(lambda: parts.store.resume(name, None if length is None else seen + length))
        finally:
            berth.leave()  # the file has it
        if writer is None:
            raise _busy()
        try:
            if await parts.readers.run(lambda: self._look(name, subject)) != seen:
                raise _busy()
            blob = GrowingBlob.over(writer.fileno(), None, withheld=False)
        except BaseException:
            await parts.writers.run(lambda: writer.keep(durable=False))
            raise
        blob.extents.add(Span(0, seen))
        hashes, position = self._recall(name, seen, algorithms)
        return _Open(writer, blob, PrefixHashes(hashes, blob, parts.writers, position), pool)

    async def _leave(self, name: str, session: _Open, *, is_hashed: bool = True) -> None:
        """Let go of the lock; what has come stays."""
        await session.close()
        if is_hashed:
            self._hashed[name] = (session.hashes.hashes, session.hashes.position)
        while len(self._hashed) > REMEMBERED:
            self._hashed.popitem(last=False)
        with suppress(OSError):
            await self._parts.writers.run(lambda: session.writer.keep(durable=False))

    def _recall(self, name: str, size: int, algorithms: tuple[str, ...]) -> Hashed:
        hashes, position = self._hashed.pop(name, (None, 0))
        if hashes is None or position > size or not set(algorithms) <= set(hashes.digests()):
            return Hashes({each: new_hash(each, None) for each in sorted(set(algorithms))}), 0
        return hashes, position

    def _look(self, name: str, subject: str) -> int | None:
        """Bytes of a session that are there; None if there is no such session. Blocks."""
        attending = self._parts.store.attend(name) if NAME.fullmatch(name) else None
        if attending is None:
            return None
        try:
            if Session.from_json(attending.about) != Session(self._intake.key, subject):
                return None
            extents = Extents()
            for span in attending.read().extents:
                extents.add(span)
            return extents.reach(0)
        finally:
            attending.close()


def _unknown() -> RegproxyError:
    return RegproxyError(Kind.NOT_FOUND, "no such upload is under way: it has ended, or was given up")


def _busy() -> RegproxyError:
    return RegproxyError(Kind.CONFLICT, "another request is writing to this upload")


def _not_next(size: int) -> RegproxyError:
    return RegproxyError(Kind.UNSATISFIABLE_RANGE, f"the next byte of this upload is number {size}")
