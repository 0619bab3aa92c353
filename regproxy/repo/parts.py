"""What every remote repository is built from; made once, by ``service.py``, and shared by all of them."""

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from regproxy.index.interface import Index
from regproxy.repo.recorder import Recorder
from regproxy.store.interface import BlobStore
from regproxy.stream.pool import WriterPool


@frozen
class Parts:
    """Store, index, threads, clock.

    Attributes:
        writers: hash and write fills.
        readers: everything else that waits for a disk.
    """

    store: BlobStore
    index: Index
    writers: WriterPool
    readers: WriterPool
    clock: IReactorTime
    recorder: Recorder
