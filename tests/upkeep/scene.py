"""A store on a disk with an index in memory, and blobs in both, for tests of upkeep."""

from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.index.memory import MemoryIndex
from regproxy.model.head import Head
from regproxy.model.node import Node
from regproxy.repo.eviction import Eviction
from regproxy.repo.parts import Parts
from regproxy.repo.room import Room
from regproxy.store.disk import DiskStore
from regproxy.stream.rehash import Pace
from regproxy.upkeep.report import Report, Trouble
from regproxy.upkeep.verification import Verification
from tests.conformance.store import name_of, stored
from tests.fakes.remote import Counting, InlinePool

UPSTREAM = "https://upstream.example/x"


@define(eq=False)
class Holdings:
    """What a server holds."""

    root: Path
    store: DiskStore = field(init=False)
    index: MemoryIndex = field(init=False, factory=MemoryIndex)
    clock: Clock = field(init=False, factory=Clock)
    recorder: Counting = field(init=False, factory=Counting)
    parts: Parts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = DiskStore(self.root / "store")
        self.index.start()
        self.clock.advance(1e9)
        pool = InlinePool()
        eviction = Eviction(self.store, self.index, pool, self.recorder)
        room = Room(self.store, self.index, pool, pool, self.clock, self.recorder, eviction)
        self.parts = Parts(self.store, self.index, pool, pool, self.clock, self.recorder, room)

    def hold(self, body: bytes, *paths: str, origin: str = UPSTREAM) -> str:
        """Store a body and make it a node at each path."""
        name = stored(self.store, body)
        for path in paths or (f"p/{name[:6]}",):
            now = self.clock.seconds()
            self.index.put(Node("r", path, name, len(body), Head(len(body)), checked=now, origin=origin), synced=True)
        return name

    def file(self, name: str) -> Path:
        """Where a blob lies."""
        return self.root / "store" / "blobs" / "sha256" / name[:2] / name

    def flip(self, name: str) -> None:
        """Turn one bit of a stored blob."""
        data = bytearray(self.file(name).read_bytes())
        data[len(data) // 2] ^= 1
        self.file(name).write_bytes(data)

    def verify(self, *, repair: bool = False, strict: bool = False, live: int = 0, idle: bool = True) -> Report:
        """Verify everything."""
        made = Verification(self.parts, Pace(self.clock), repair, strict, lambda: live, idle)
        got: list[Report] = []
        Deferred.fromCoroutine(made.run()).addCallback(got.append)
        return got[0]

    def troubles(self, **more: bool) -> dict[str, Trouble]:
        """What is wrong, by name."""
        return {finding.name: finding.trouble for finding in self.verify(**more).findings}


__all__ = ["Holdings", "name_of"]
