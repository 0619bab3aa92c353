"""A whole verification: the database, every row against its blob, every blob against the rows, the spool.

It runs in the reactor and reads in threads, so the same code works on a stopped server and on a running one. Nothing is held
for the whole: rows and files are walked in pages.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import msgspec
from attrs import define, field

from regproxy.repo.parts import Parts
from regproxy.store.interface import BlobStat, Keep
from regproxy.stream.rehash import Pace, hash_blob
from regproxy.upkeep.inspection import Inspector
from regproxy.upkeep.report import Finding, Progress, Report, Trouble

PAGE = 256
SETTLED_SECONDS = 3600.0
EVERYTHING = Keep(0.0, 1 << 62)

T = TypeVar("T")


@define(eq=False)
class Verification:
    """One run.

    Attributes:
        repair: mend what can be mended.
        strict: the spool has to be empty but for what is being written, and garbage is read too.
        live: how many spool files are being written.
        idle: nobody else works on the store, so what has no row never gets one.
    """

    _parts: Parts
    _pace: Pace
    repair: bool
    strict: bool
    live: Callable[[], int] = lambda: 0
    idle: bool = True
    progress: Progress = field(init=False, default=Progress(blobs=0, bytes=0, total_bytes=0))
    _findings: list[Finding] = field(init=False, factory=list)

    async def run(self) -> Report:
        """Look at everything."""
        began = self._parts.clock.seconds()
        await self._leftovers()
        await self._database()
        await self._blobs_without_rows()
        await self._rows()
        return Report(
            blobs=self.progress.blobs,
            bytes=self.progress.bytes,
            seconds=self._parts.clock.seconds() - began,
            strict=self.strict,
            findings=tuple(self._findings),
        )

    async def _database(self) -> None:
        for line in await self._parts.readers.run(self._parts.index.complaints):
            self._findings.append(Finding(trouble=Trouble.INDEX, detail=line))

    async def _rows(self) -> None:
        inspector = Inspector(self._parts, self._pace, self.repair)
        rows = self._parts.index.each_blob()
        while page := await self._page(rows):
            for row in page:
                finding = await inspector.inspect(row)
                if finding is not None:
                    self._findings.append(finding)
                self.progress = msgspec.structs.replace(
                    self.progress, blobs=self.progress.blobs + 1, bytes=self.progress.bytes + row.size
                )

    async def _blobs_without_rows(self) -> None:
        files = self._parts.store.each()
        while page := await self._page(files):
            known = sum(file.size for file in page)
            self.progress = msgspec.structs.replace(self.progress, total_bytes=self.progress.total_bytes + known)
            for file in page:
                if self._parts.index.blob(file.sha256) is None and self._is_settled(file):
                    await self._orphan(file)

    def _is_settled(self, file: BlobStat) -> bool:
        """A fill commits its blob before its row: a young blob may be about to get one."""
        return self.idle or file.modified < self._parts.clock.seconds() - SETTLED_SECONDS

    async def _orphan(self, file: BlobStat) -> None:
        trouble = Trouble.TORN if self.strict and await self._is_torn(file) else Trouble.ORPHAN
        if self.repair and not await self._parts.room.eviction.remove(file.sha256):
            return  # somebody has given it a row meanwhile
        self._findings.append(Finding(trouble=trouble, name=file.sha256, detail=f"{file.size} bytes", repaired=self.repair))

    async def _is_torn(self, file: BlobStat) -> bool:
        reader = self._parts.store.open(file.sha256)
        if reader is None:
            return False
        try:
            return await hash_blob(reader, self._parts.readers, self._pace) != file.sha256
        except OSError:
            return True
        finally:
            reader.close()

    async def _leftovers(self) -> None:
        """What is in the spool, but neither being written nor kept for the next who asks."""
        litter = await self._parts.readers.run(self._litter)
        if len(litter) <= self.live():
            return
        repaired = self.repair and self.idle
        if repaired:
            await self._parts.readers.run(lambda: self._parts.store.recover(EVERYTHING))
        names = litter if self.idle else [f"{len(litter) - self.live()} of {len(litter)} files"]
        self._findings += [Finding(trouble=Trouble.SPOOL, name=name, repaired=repaired) for name in names]

    def _litter(self) -> list[str]:
        kept = {left.name for left in self._parts.store.left()}
        return [name for name in self._parts.store.unfinished() if name not in kept]

    async def _page(self, items: Iterator[T]) -> Sequence[T]:
        return await self._parts.readers.run(lambda: list(islice(items, PAGE)))
