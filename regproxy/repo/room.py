"""Room in the store: who may begin to write how much, and what is known of a disk that does not take it.

A fill asks for a writer when its length is known. That length, and those of all live fills, must fit under the limits and into
what is free, of which a reserve is left to the database; if need be the least recently used goes first. For a body of unknown
length it goes as that grows (``growth``). Without room the writer has no spool, and the body goes through a window: a disk that
is full, read-only, failing or slow is no reason to refuse a client.
"""

import errno
from collections.abc import Callable, Coroutine
from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.defer import TimeoutError as DeferredTimeout
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
from regproxy.stream.lane import in_time, stalled
from regproxy.stream.pool import Pool
from regproxy.stream.source import BlobWriter
from regproxy.stream.spawn import spawn
from regproxy.stream.window import Window

log = make_logger()

T = TypeVar("T")
Spool = TypeVar("Spool", BlobWriter, BlobWriter | None)

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
    """The bytes that one live fill or upload takes or will take; a fill of unknown length may grow to ``most``."""

    _room: "Room"
    repository: str
    size: int
    _known: bool
    _most: int | None = None
    _there: int = 0
    spool: BlobWriter | None = field(default=None, init=False)

    @property
    def due(self) -> int:
        """Bytes that it was given and that still count as free: its spool sets them aside when it is written to."""
        return max(0, self.size - self._there) if self.spool is None else self.spool.due

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
        return pool if self._known else self._room.ahead(pool, lambda: False)

    def leave(self) -> None:
        """It takes nothing any more: it is stored, or removed. In any thread; a second call does nothing."""
        self._room.leave(self)


def _left(berth: Berth | None) -> None:
    if berth is not None:
        berth.leave()


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
        if settings.store_artifacts_locally:
            try:
                begun = await self.berth(settings, length, create)
            except OSError as error:
                if not is_trouble(error):
                    raise
                self.troubled(settings.key, error)
            else:
                if begun is not None:
                    return EnduringWriter(begun[1], whole, allowance=begun[0])
        return EnduringWriter.through(Window.open(0, bounded=not whole))

    async def berth(
        self, settings: RepositorySettings, length: int | None, create: "Callable[[], Spool]", there: int | None = None
    ) -> "tuple[Berth, Spool] | None":
        """A berth for a fill, and its spool, which takes so many bytes of the disk if it is there; None if there is no room.

        ``OSError`` if there cannot be a spool.
        """
        berth = None if self._is_stalled else await self._reserved(settings, length, there or 0)
        if berth is None:
            return None
        try:
            spool = await self._spool(create, stays=there is not None)
        except BaseException:
            berth.leave()
            raise
        berth.spool = spool
        if spool is None:
            berth.leave()
        return berth, spool

    async def make(self, length: int | None) -> tuple[Berth, Pool]:
        """Free what an upload takes of the disk; ``RegproxyError`` (NO_ROOM) if even all that may go is not enough.

        Returns:
            What it holds until it leaves, and where its writes are to run.
        """
        berth = await self._alone(lambda: self._made(length), Berth.leave)
        return berth, self._writers if length is not None else self.ahead(self._writers, self.is_low)

    async def _made(self, length: int | None) -> Berth:
        need = length or 0
        if length != 0 and not await self._frees(need):
            raise RegproxyError(Kind.NO_ROOM, f"there is no room for {need} bytes more on the disk")
        return self._held(Berth(self, "", need, length is not None))

    def ahead(self, pool: Pool, refuses: Callable[[], bool]) -> Pool:
        """Where the writes of a body of unknown length are to run; at last it may be refused."""

        def make() -> "Deferred[None]":
            return in_time(self.clock, Deferred.fromCoroutine(self.advance()), seconds=PATIENCE)

        return Ahead(pool, self.is_short, make, refuses)

    async def advance(self) -> None:
        """Make room for what grows: two steps, or as much as may go; nothing goes if that would not reach beyond the reserve.

        ``TimeoutError`` if the disk stands still. What fails else is no matter: the write sees what is left.
        """
        try:
            await self._alone(self._advanced)
        except TimeoutError:
            raise
        except (RegproxyError, OSError) as error:
            log.info("no room can be made: {error!r}", error=error)

    async def _advanced(self) -> None:
        two, least = await self._writers.run(lambda: (self.lacking(steps=2), self.lacking() + 1) if self.is_short() else (0, 0))
        if two:
            await self.eviction.free(two, least=least)

    async def _alone(
        self,
        work: "Callable[[], Coroutine[Deferred[object], object, T]]",
        late: Callable[[T], object] | None = None,
        patience: float | None = None,
    ) -> T:
        """Make room, one at a time, so that none is given twice; ``late`` gets what is made too late.

        ``TimeoutError`` if the disk stands still: whoever comes next does not wait for it. ``defer.TimeoutError`` if others take
        longer than ``patience``.
        """
        turn = self._turn.acquire()
        await (turn if patience is None else turn.addTimeout(patience, self.clock))
        try:
            if self._is_stalled:
                raise stalled()
            return await in_time(self.clock, Deferred.fromCoroutine(work()), late, progress=lambda: self.eviction.taken)
        except TimeoutError as error:
            self._stands_still(error)
            raise
        finally:
            self._turn.release()

    def live(self, repository: str | None = None) -> int:
        """Bytes of the live fills, of a repository or, with the uploads, of all."""
        return sum(berth.size for berth in list(self._live) if repository in (None, berth.repository))

    def leave(self, berth: Berth) -> None:
        """See ``Berth.leave``."""
        self._live.pop(berth, None)

    def is_low(self) -> bool:
        """Whether only the reserve is left. In any thread."""
        return self._lacking(0, 1) > 0

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

    async def _reserved(self, settings: RepositorySettings, length: int | None, there: int) -> Berth | None:
        """Reserve, evicting first."""
        most = self._most(settings)
        need = length or 0

        async def reserve() -> Berth | None:
            fits = await self._fits(settings, need, there)
            return self._held(Berth(self, settings.key, need, length is not None, most, there)) if fits else None

        if most is not None and need > most:
            self._recorder.not_kept(settings.key)
            return None
        try:
            berth = await self._alone(reserve, _left, PATIENCE)
        except DeferredTimeout:
            berth = None
        except (RegproxyError, OSError) as error:  # neither the index nor the disk can even be asked to make room
            self.troubled(settings.key, error)
            return None
        if berth is None:
            self._recorder.not_kept(settings.key)
        return berth

    def _held(self, berth: Berth) -> Berth:
        self._live[berth] = None
        return berth

    def _most(self, settings: RepositorySettings) -> int | None:
        own = [parse_size(settings.max_bytes)] if settings.max_bytes else []
        return min([*own, *([] if self.limit is None else [self.limit])], default=None)

    async def _fits(self, settings: RepositorySettings, need: int, there: int) -> bool:
        over = self.over(settings, need)
        if over and await self.eviction.shrink(settings.key, lambda: self.over(settings, need)) < over:
            return False
        over = self.over(None, need)
        if over and await self.eviction.free(over) < over:
            return False
        if not await self._frees(need - there):
            self._note("the disk is full")
            return False
        return True

    async def _frees(self, need: int) -> bool:
        """Make room for so many bytes on the disk; False if even all that may go is not enough."""
        lacking = await self._writers.run(lambda: self.lacking(need))
        if not lacking:
            return True
        await self.eviction.free(lacking)
        return not await self._writers.run(lambda: self.lacking(need))

    def lacking(self, need: int = 0, *, steps: int = 0) -> int:
        """Bytes to be freed before so many more, and steps, can be written beside the live fills, the reserve left alone.

        In any thread, but of one that may stand still with the disk.
        """
        return self._lacking(need + sum(berth.due for berth in list(self._live)), 1 + steps)

    def _lacking(self, need: int, reserves: int) -> int:
        try:
            space = self._store.space()
        except OSError:  # what the disk does not say, writing will
            return 0
        return max(0, need + reserves * reserve_of(space) - space.free)

    def _spool(self, create: "Callable[[], Spool]", *, stays: bool = False) -> "Deferred[Spool]":
        """Ask for one, but not for too long: of one that comes later nothing stays, but what was there before."""

        def late(spool: Spool) -> None:
            if spool is not None:
                self._writers.run(lambda: spool.keep(durable=False) if stays else spool.abort()).addErrback(lambda _: None)

        return in_time(self.clock, self._writers.run(create), late)

    def troubled(self, repository: str, error: Exception) -> None:
        """A body of a repository is not kept, because of this."""
        self._recorder.not_kept(repository)
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            return  # a limit, and no trouble
        if isinstance(error, TimeoutError):
            self._stands_still(error)
        else:
            self._note(str(error))

    def _stands_still(self, error: Exception) -> None:
        self._is_stalled = True
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
        except OSError as error:
            self._is_stalled = self._is_stalled and isinstance(error, TimeoutError)
            return False
        self._is_stalled = False
        try:
            await self._index.remember("probe", "written")
        except RegproxyError:
            return False
        if await self._writers.run(self.lacking):
            return False
        log.info("the store takes bodies again")
        self.trouble = None
        return True
