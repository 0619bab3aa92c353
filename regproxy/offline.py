"""The parts of a stopped server, for commands that work on its data directory: locked, opened, closed again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import frozen
from twisted.internet.posixbase import PosixReactorBase

from regproxy.errors import Kind, RegproxyError
from regproxy.index.migrate import newest, prepare
from regproxy.index.older import copy_of, keep_older
from regproxy.index.sqlite import SqliteIndex
from regproxy.lock import DataDirLock
from regproxy.repo.eviction import Eviction
from regproxy.repo.parts import Parts
from regproxy.repo.room import Room
from regproxy.store.disk import DiskStore
from regproxy.stream.pool import WriterPool
from regproxy.telemetry.metrics import Metrics

INDEX = "index.sqlite"
STORE = "store"


@frozen
class Upgraded:
    """The schema that an index had, that which it has, and where a copy of what it was lies; empty if it was as it is."""

    before: int
    after: int
    copy: str


def upgraded(data_dir: Path, now: float) -> Upgraded:
    """Bring a stopped server's index up to this program's schema. Blocks.

    ``LockedError`` if somebody works on it, ``RegproxyError`` for what is no index, newer than this program, or not to be copied.
    """
    path = data_dir / INDEX
    if not path.exists():
        raise RegproxyError(Kind.STORAGE, f"{path}: expected an index: there is no regproxy data here")
    lock = DataDirLock.acquire(data_dir)
    try:
        before, after = keep_older(path), newest()
        if before is None:
            raise RegproxyError(Kind.STORAGE, f"{path}: expected an index")
        prepare(path, now)
        return Upgraded(before, after, copy_of(path, before) if before < after else "")
    finally:
        lock.release()


@asynccontextmanager
async def opened(reactor: PosixReactorBase, data_dir: Path) -> AsyncIterator[Parts]:
    """Lock the directory and open what is in it; ``LockedError`` if somebody works on it, ``RegproxyError`` if there is no index.

    An empty one is never made here: all that is in the store would be garbage then. Whether the last run ended cleanly stays as
    it is, too: the next server has to know.
    """
    if not (data_dir / INDEX).exists():
        raise RegproxyError(Kind.STORAGE, f"no regproxy data here: there is no {INDEX}")
    lock = DataDirLock.acquire(data_dir)
    try:
        keep_older(data_dir / INDEX)
        prepare(data_dir / INDEX, reactor.seconds())
        index = SqliteIndex(data_dir / INDEX, reactor, is_owner=False)
        pool = WriterPool(reactor, 1)
        index.start()
        pool.start()
        try:
            store, metrics = DiskStore(data_dir / STORE), Metrics()
            eviction = Eviction(store, index, pool, metrics)
            room = Room(store, index, pool, pool, reactor, metrics, eviction)
            yield Parts(store, index, pool, pool, reactor, metrics, room)
        finally:
            await index.close()
            pool.stop()
    finally:
        lock.release()
