"""The parts of a stopped server, for commands that work on its data directory: locked, opened, closed again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from twisted.internet.posixbase import PosixReactorBase

from regproxy.index.migrate import prepare
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


@asynccontextmanager
async def opened(reactor: PosixReactorBase, data_dir: Path) -> AsyncIterator[Parts]:
    """Lock the directory and open what is in it; ``LockedError`` if somebody works on it.

    Whether the last run ended cleanly stays as it is: the next server has to know.
    """
    lock = DataDirLock.acquire(data_dir)
    try:
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
