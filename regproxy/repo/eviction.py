"""Takes the least recently used out of the store: with its nodes, wherever room is needed, but nothing in vain.

What is pinned, came from no upstream, or is in a repository of local content stays. A row goes before its blob, so that no row
points to nothing; only when the disk is too full for the database to say so, the blob goes first, and its row is a miss. Readers
have descriptors and go on.
"""

from collections.abc import Callable
from contextlib import suppress

from attrs import define, field
from twisted.internet.defer import DeferredLock

from regproxy.errors import RegproxyError
from regproxy.index.interface import BlobRow, Index, Use
from regproxy.repo.recorder import Recorder
from regproxy.store.interface import BlobStore
from regproxy.stream.pool import Pool

PAGE = 100
NEVER = float("inf")


@define(eq=False)
class Eviction:
    """Of one store.

    Attributes:
        kept: keys of repositories whose content is never evicted.
        turn: held while a blob is out of sight that may come back.
        taken: how many rows and nodes have been taken out so far: it grows while the disk answers.
    """

    _store: BlobStore
    _index: Index
    _pool: Pool
    _recorder: Recorder
    kept: frozenset[str] = field(default=frozenset())
    turn: DeferredLock = field(factory=DeferredLock, init=False)
    taken: int = field(default=0, init=False)

    async def free(self, need: int, why: str = "space", *, least: int | None = None, most: int | None = None) -> int:
        """Evict blobs of ``need`` bytes or a little more; none at all if there are not that many, or not even the ``least``.

        Of what is needed ``most`` at a time.

        Returns:
            Their bytes.
        """
        limit = PAGE
        while True:
            rows = await self._pool.run(lambda: self._index.least_used(self.kept, limit))  # noqa: B023 - awaited here
            offered = sum(row.size for row in rows)
            if offered >= need or len(rows) < limit:
                break
            limit *= 4
        freed = 0
        for row in rows if offered >= (need if least is None else least) else ():
            if freed >= (need if most is None else min(need, most)):
                break
            freed += await self._evict(row, why)
            self.taken += 1
        return freed

    async def _evict(self, row: BlobRow, why: str) -> int:
        try:
            gone = await self._index.evict(row, self.kept)
        except RegproxyError:
            gone = await self._pool.run(lambda: self._drop_first(row))
            if gone:
                with suppress(RegproxyError):  # its row is a miss until there is room to remove it
                    await self._index.evict(row, self.kept)
        else:
            if gone:
                await self.remove(row.sha256)
        if gone:
            self._recorder.evicted(why, row.size)
        return row.size if gone else 0

    def _drop_first(self, row: BlobRow) -> bool:
        """Remove a blob whose row cannot be removed now, if it still may go. Blocks."""
        offered = self._index.least_used(self.kept, 1 << 30)
        return row in offered and self._store.delete(row.sha256)

    async def remove(self, sha256: str) -> bool:
        """Remove a blob that has no row; False if somebody is registering it, or has done so, or it is not there."""
        await self.turn.acquire()
        try:
            aside = await self._pool.run(lambda: self._store.set_aside(sha256))
            if aside is None:
                return False
            needed = True  # unless the index says otherwise
            try:
                needed = self._index.blob(sha256) is not None
            finally:
                await self._pool.run(aside.restore if needed else aside.drop)
            return not needed
        finally:
            self.turn.release()

    async def shrink(self, repository: str, over: Callable[[], int], most: int | None = None) -> int:
        """Take nodes out of a repository until it is not ``over`` any more, or by ``most`` bytes less; none if that cannot be.

        Returns:
            By how much less it is over: what others do meanwhile is part of that.
        """
        before = over()
        need = before if most is None else min(before, most)
        limit = PAGE
        while True:
            uses = await self._pool.run(lambda: self._index.least_used_in(repository, NEVER, limit))  # noqa: B023 - as above
            enough = sum({use.sha256: use.size for use in uses}.values()) >= need
            if enough or len(uses) < limit:
                break
            limit *= 4
        for use in uses if enough else ():
            if before - over() >= need:
                break
            await self.release(use, "repository")
            self.taken += 1
        return max(0, before - over())

    async def release(self, use: Use, why: str) -> bool:
        """Take one node out, and its blob if it was the last to name it; False if it was used meanwhile."""
        if not await self._index.release(use):
            return False
        if await self._index.forget(use.sha256) and await self.remove(use.sha256):
            self._recorder.evicted(why, use.size)
        return True
