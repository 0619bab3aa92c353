"""What every remote repository is built from; made once, by ``service.py``, and shared by all of them."""

from attrs import Factory, field, frozen
from twisted.internet.interfaces import IReactorTime

from regproxy.index.interface import Index
from regproxy.repo.parking import Parking
from regproxy.repo.recorder import Recorder
from regproxy.repo.room import Room
from regproxy.sharing.flights import Sharing, Unshared
from regproxy.store.interface import BlobStore
from regproxy.stream.places import Places
from regproxy.stream.pool import Pool, WriterPool
from regproxy.telemetry.events import Events


@frozen
class Parts:
    """Store, index, threads, clock.

    Attributes:
        writers: hash and write fills.
        readers: everything else that waits for a disk, but
        syncs: what brings uploads to the disk, which takes as long as the largest of them.
        fills: how many artifacts may be on their way at once.
        parking: what was received of bodies whose fill was left or cut.
        sharing: one launch for all processes of the server.
        processes: how many there are.
        events: who wants to know of deposits, deletions and first fetches.
        told: when it was last said of a blob that it is lost; see ``damage``.
    """

    store: BlobStore
    index: Index
    writers: WriterPool
    readers: WriterPool
    clock: IReactorTime
    recorder: Recorder
    room: Room
    parking: Parking = field(default=Factory(lambda parts: Parking(parts.store, parts.readers, parts.clock), takes_self=True))
    sharing: Sharing = Unshared()
    fills: Places = field(factory=Places)
    processes: int = 1
    events: Events = field(factory=Events)
    told: dict[str, float] = field(factory=dict)
    syncs: Pool = field(default=Factory(lambda parts: parts.readers, takes_self=True))
