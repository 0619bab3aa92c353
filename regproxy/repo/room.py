"""Room in the store: who may begin to write how much, and what is known of a disk that does not take it.

A fill asks for a writer when its length is known. That length, and those of all live fills, must fit under the limits and into
what is free, of which a reserve is left to the database; if need be the least recently used goes first. For a body of unknown
length it goes as that grows (``growth``). Without room the writer has no spool, and the body goes through a window: a disk that
is full, read-only, failing or slow is no reason to refuse a client.
"""

import errno
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface import Index
from regproxy.model.settings import RepositorySettings
from regproxy.model.size import parse_size
from regproxy.repo.eviction import Eviction
from regproxy.repo.growth import Ahead
from regproxy.repo.recorder import Recorder
from regproxy.store.interface import BlobStore, Space
from regproxy.stream.enduring import EnduringWriter, is_trouble
from regproxy.stream.lane import in_time
from regproxy.stream.pool import Pool
from regproxy.stream.source import BlobWriter
from regproxy.stream.spawn import spawn
from regproxy.stream.window import Window

log = make_logger()

RESERVE = 64 << 20
RESERVED_SHARE = 20
PROBE_SECONDS = 2.0
PATIENCE = 5.0
"""How long the clients of a fill wait for room, once."""


def reserve_of(space: Space) -> int:
    """What is left to the database and to others: 64 MiB, of a small file system a twentieth; also a step of what grows."""
    return min(RESERVE, space.total // RESERVED_SHARE)


@define(eq=False)
class Berth:
    """The bytes that one live fill takes or will take; one of unknown length may grow to ``most``."""

    _room: "Room"
    repository: str
    size: int
    _known: bool
    _most: int | None
    spool: BlobWriter | None = field(default=None, init=False)
    _is_late: bool = field(default=False, init=False)

    @property
    def due(self) -> int:
        """Bytes that it was given and that still count as free: its spool sets them aside when it is written to."""
        return self.size if self.spool is None else self.spool.due

    def refuses(self, end: int) -> int:
        """Why the body may not grow up to here: it would be too large, or only the reserve is left. In a thread."""
        if self._known:
            return 0
        self.size = end
        if self._most is not None and end > self._most:
            return errno.EFBIG
        return errno.ENOSPC if self._room.is_low() else 0

    def ahead(self, pool: Pool) -> Pool:
        """Where its writes are to run, instead of on a pool; what is refused at last goes through a window (``refuses``)."""
        return pool if self._known else Ahead(pool, self._room.is_short, self._make, lambda: False)

    async def _make(self) -> None:
        if self._is_late:
            return
        try:
            await in_time(self._room.clock, Deferred.fromCoroutine(self._room.advance()), seconds=PATIENCE)
        except TimeoutError:
            self._is_late = True

    def leave(self) -> None:
        """It takes nothing any more: it is stored, or removed. In any thread; a second call does nothing."""
        self._room.leave(self)


@define(eq=False)
class Room:
    """The room of one store.

    Attributes:
        rescue: hashes and writes what the disk does not take; it never waits for a disk.
        clock: how long a disk may take.
        limit: bytes that the store may hold; None: as many as there is room for.
        trouble: what is wrong with the disk, if anything is known to be.
        troubled_again: called at each trouble.
    """

    _store: BlobStore
    _index: Index
    _writers: Pool
    rescue: Pool
    clock: IReactorTime
    _recorder: Recorder
    eviction: Eviction
    limit: int | None = None
    trouble: str | None = field(default=None, init=False)
    troubled_again: Callable[[], None] = field(default=lambda: None, init=False)
    _is_stalled: bool = field(default=False, init=False)
    _live: dict[Berth, None] = field(factory=dict, init=False)
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _is_closed: bool = field(default=False, init=False)

    async def writer(
        self, settings: RepositorySettings, length: int | None, create: Callable[[], BlobWriter], *, whole: bool
    ) -> EnduringWriter:
        """A writer for a body; ``create`` makes its spool, if there is room. ``whole``: all of it is needed at once."""
        if settings.store_artifacts_locally and not self._is_stalled:
            berth = await self._berth(settings, length)
            if berth is not None:
                try:
                    berth.spool = await self._spool(create)
                    return EnduringWriter(berth.spool, whole, allowance=berth)
                except BaseException as error:
                    berth.leave()
                    if not isinstance(error, OSError) or not is_trouble(error):
                        raise
                    self.troubled(settings.key, error)
        return EnduringWriter.through(Window.open(0, bounded=not whole))

    async def make(self, length: int | None) -> Pool:
        """Free what an upload takes of the disk; ``RegproxyError`` (NO_ROOM) if even all that may go is not enough.

        Returns:
            Where its writes are to run.
        """
        need = length or 0
        await self._turn.acquire()
        try:
            lacking = self.lacking(need)
            if lacking:
                await self.eviction.free(lacking)
                if self.lacking(need):
                    raise RegproxyError(Kind.NO_ROOM, f"there is no room for {need} bytes more on the disk")
        finally:
            self._turn.release()
        return self._writers if length is not None else Ahead(self._writers, self.is_short, self.advance, self.is_low)

    async def advance(self) -> None:
        """Make room for what grows: two steps, or as much as may go; nothing goes if that would not reach beyond the reserve.

        What fails here is no matter: the write sees what is left.
        """
        await self._turn.acquire()
        try:
            if self.is_short():
                await self.eviction.free(self.lacking(steps=2), least=self.lacking() + 1)
        except (RegproxyError, OSError) as error:
            log.info("no room can be made: {error!r}", error=error)
        finally:
            self._turn.release()

    def live(self, repository: str | None = None) -> int:
        """Bytes of the live fills, of a repository or of all."""
        return sum(berth.size for berth in list(self._live) if repository in (None, berth.repository))

    def leave(self, berth: Berth) -> None:
        """See ``Berth.leave``."""
        self._live.pop(berth, None)

    def is_low(self) -> bool:
        """Whether only the reserve is left. In any thread."""
        space = self._store.space()
        return space.free < reserve_of(space)

    def is_short(self) -> bool:
        """Whether less than a step is left beyond the reserve and what is promised. In any thread."""
        return self.lacking(steps=1) > 0

    def over(self, settings: RepositorySettings | None = None, need: int = 0) -> int:
        """By how many bytes a repository, or the store, would be over its limit with so many more; 0 if it would not."""
        if settings is None:
            return 0 if self.limit is None else max(0, self._index.held().bytes + self.live() + need - self.limit)
        if not settings.max_bytes:
            return 0
        held = self._index.held(settings.key).bytes + self.live(settings.key)
        return max(0, held + need - parse_size(settings.max_bytes))

    async def _berth(self, settings: RepositorySettings, length: int | None) -> Berth | None:
        """Reserve, evicting first; one at a time, so that no room is given twice."""
        most = self._most(settings)
        need = length or 0
        if most is not None and need > most:
            self._recorder.not_kept(settings.key)
            return None
        await self._turn.acquire()
        try:
            fits = await self._fits(settings, need)
        except RegproxyError as error:  # the index cannot even be asked to make room
            self.troubled(settings.key, error)
            return None
        else:
            if not fits:
                self._recorder.not_kept(settings.key)
                return None
            berth = Berth(self, settings.key, need, length is not None, most)
            self._live[berth] = None
            return berth
        finally:
            self._turn.release()

    def _most(self, settings: RepositorySettings) -> int | None:
        own = [parse_size(settings.max_bytes)] if settings.max_bytes else []
        return min([*own, *([] if self.limit is None else [self.limit])], default=None)

    async def _fits(self, settings: RepositorySettings, need: int) -> bool:
        over = self.over(settings, need)
        if over and await self.eviction.shrink(settings.key, over) < over:
            return False
        over = self.over(None, need)
        if over and await self.eviction.free(over) < over:
            return False
        lacking = self.lacking(need)
        if lacking:
            await self.eviction.free(lacking)
            if self.lacking(need):
                self._note("the disk is full")
                return False
        return True

    def lacking(self, need: int = 0, *, steps: int = 0) -> int:
        """Bytes to be freed before so many more, and steps, can be written beside the live fills, the reserve left alone."""
        space = self._store.space()
        due = sum(berth.due for berth in list(self._live))
        return max(0, need + due + (1 + steps) * reserve_of(space) - space.free)

    def _spool(self, create: Callable[[], BlobWriter]) -> "Deferred[BlobWriter]":
        """Ask for one, but not for too long: one that comes later is aborted."""
        return in_time(
            self.clock, self._writers.run(create), lambda late: self._writers.run(late.abort).addErrback(lambda _: None)
        )

    def troubled(self, repository: str, error: Exception) -> None:
        """A body of a repository is not kept, because of this."""
        self._recorder.not_kept(repository)
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            return  # a limit, and no trouble
        self._is_stalled = self._is_stalled or isinstance(error, TimeoutError)
        self._note(str(error))

    def _note(self, trouble: str) -> None:
        if self.trouble is None:
            log.error("the store is in trouble, bodies pass through it: {trouble}", trouble=trouble)
            self._timer = self.clock.callLater(PROBE_SECONDS, self._look)
        self.trouble = trouble
        self.troubled_again()

    def _look(self) -> None:
        self._timer = None
        spawn(self._look_again(), "probing the store")

    async def _look_again(self) -> None:
        if not await self.probe() and not self._is_closed:
            self._timer = self.clock.callLater(PROBE_SECONDS, self._look)

    def close(self) -> None:
        """Look no more."""
        self._is_closed = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    async def probe(self) -> bool:
        """Look whether the trouble is over, by writing a little; True if there is none."""
        if self.trouble is None:
            return True

        def create() -> BlobWriter:
            writer = self._store.create(1 << 16)
            try:
                writer.write_at(0, [bytes(1 << 16)])
            finally:
                writer.abort()
            return writer

        try:
            await self._spool(create)
            await self._index.remember("probe", "written")
        except (OSError, RegproxyError):
            return False
        if self.lacking():
            return False
        log.info("the store takes bodies again")
        self.trouble, self._is_stalled = None, False
        return True
