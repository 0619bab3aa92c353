"""Collects what nothing points to: blobs whose last node has gone, files without a row, and rows whose file has gone.

A page at a step. What is being registered just now is claimed in the store, and therefore never taken for garbage. Rows of
nodes that came from no upstream stay, whatever their file: nobody could bring that back, and ``verify`` reports it.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
from attrs import define, field

from regproxy.index.interface import BlobRow
from regproxy.repo.damage import is_decided, is_there
from regproxy.repo.parts import Parts
from regproxy.store.interface import BlobStat
from regproxy.stream.spawn import spawn

PAGE = 200
ALL = 1 << 30
PAUSE = 0.05
EVERY = 6 * 3600.0


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed, or would be: blobs without nodes, files without rows, rows without files; bytes of the first two."""

    unnamed: int = 0
    strays: int = 0
    lost: int = 0
    bytes: int = 0
    dry: bool = False


@define(eq=False)
class Collection:
    """One run, from the first ``step`` to the one that returns True."""

    _parts: Parts
    dry: bool = False
    unnamed: int = field(default=0, init=False)
    strays: int = field(default=0, init=False)
    lost: int = field(default=0, init=False)
    bytes: int = field(default=0, init=False)
    _rows: "Iterator[BlobRow] | None" = field(default=None, init=False)
    _files: "Iterator[BlobStat] | None" = field(default=None, init=False)
    _unnamed_done: bool = field(default=False, init=False)

    @property
    def report(self) -> Collected:
        """What came of it so far."""
        return Collected(unnamed=self.unnamed, strays=self.strays, lost=self.lost, bytes=self.bytes, dry=self.dry)

    async def run(self) -> Collected:
        """All steps."""
        while not await self.step():
            pass
        return self.report

    async def step(self) -> bool:
        """Look at one page; True when all has been looked at."""
        run = self._parts.readers.run
        if not self._unnamed_done:
            await self._unnamed()
            return False
        if self._files is None:
            self._files = self._parts.store.each()
        files = self._files
        page = await run(lambda: list(islice(files, PAGE)))
        if page:
            await self._unrowed(page)
            return False
        if self._rows is None:
            self._rows = self._parts.index.each_blob()
        return await self._unfiled(self._rows)

    async def _unnamed(self) -> None:
        """Blobs that no node names any more."""
        rows = await self._parts.readers.run(lambda: self._parts.index.unreferenced(ALL if self.dry else PAGE))
        for row in rows:
            there = await self._parts.readers.run(lambda: is_there(self._parts, row.sha256))  # noqa: B023 - awaited here
            if not self.dry and not await self._parts.index.forget(row.sha256):
                continue
            if not there:
                self.lost += not self.dry  # a dry run comes to it once more, among the rows
            elif await self._removed(row.sha256):
                self.unnamed += 1
                self.bytes += row.size
                self._count(row.size)
        self._unnamed_done = self.dry or len(rows) < PAGE

    async def _unrowed(self, page: Sequence[BlobStat]) -> None:
        """Files that the index does not know."""
        for stat in page:
            if self._parts.index.blob(stat.sha256) is not None:
                continue
            if await self._removed(stat.sha256):
                self.strays += 1
                self.bytes += stat.size
                self._count(stat.size)

    async def _unfiled(self, rows: "Iterator[BlobRow]") -> bool:
        """Rows whose file has gone: a miss to whoever asks, so they may go. True behind the last page."""
        index, eviction = self._parts.index, self._parts.room.eviction
        await eviction.turn.acquire()
        try:
            page = await self._parts.readers.run(lambda: [(row, is_there(self._parts, row.sha256)) for row in islice(rows, PAGE)])
            gone = [row for row, there in page if not there]
            may_go = await self._parts.readers.run(lambda: set(index.least_used(eviction.kept, ALL))) if self.dry and gone else ()
            for row in gone:
                if await self._has_gone(row.sha256):
                    self.lost += row in may_go if self.dry else await index.evict(row, eviction.kept)
        finally:
            eviction.turn.release()
        return not page

    async def _removed(self, sha256: str) -> bool:
        """Remove a blob without a row; whether it went, or would go."""
        if self.dry:
            return not await self._parts.readers.run(lambda: self._parts.store.is_claimed(sha256))
        return await self._parts.room.eviction.remove(sha256)

    async def _has_gone(self, sha256: str) -> bool:
        """Another process may have had it out of sight for a moment."""
        return await is_decided(self._parts, sha256) and not is_there(self._parts, sha256)

    def _count(self, size: int) -> None:
        if not self.dry:
            self._parts.recorder.evicted("garbage", size)


@define(eq=False)
class Garbage:
    """The job "garbage": one run after the other, every few hours."""

    _parts: Parts
    _run: Collection | None = field(default=None, init=False)

    async def step(self) -> float:
        """One step of a run."""
        run = self._run = self._run or Collection(self._parts)
        if await run.step():
            self._run = None
            return EVERY
        return PAUSE


@define(eq=False)
class OnDemand:
    """Runs that somebody asks for, one at a time."""

    _parts: Parts
    _is_running: bool = field(default=False, init=False)

    def begin(self) -> bool:
        """Begin one; False while one is under way."""
        if self._is_running:
            return False
        self._is_running = True
        spawn(self._run(), "collecting garbage")
        return True

    async def _run(self) -> None:
        try:
            await Collection(self._parts).run()
        finally:
            self._is_running = False
