"""Ingest, link, read, evict, collect, restart, in any order, interleaved at every job: what is needed stays, the rest goes.

Row 39 of the fault matrix. What blocks runs when the machine says so, one job at a time, so that eviction and collection stand
still anywhere between two of their steps while others commit, register and settle.
"""

import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from regproxy.index.memory import MemoryIndex
from regproxy.model.head import Head
from regproxy.model.node import Node
from regproxy.repo.eviction import Eviction
from regproxy.repo.parts import Parts
from regproxy.repo.room import Room
from regproxy.store.disk import DiskStore
from regproxy.store.interface import Claim
from regproxy.stream.pool import WriterPool
from regproxy.stream.source import BlobReader, BlobWriter
from regproxy.upkeep.garbage import Collection
from tests.conformance.store import content, name_of, read
from tests.fakes.remote import Counting

T = TypeVar("T")

BODIES = [b"a", b"c" * 5000]
PATHS = ["p", "q"]
REPOSITORIES = ["one", "two"]
bodies, paths, repositories = st.sampled_from(BODIES), st.sampled_from(PATHS), st.sampled_from(REPOSITORIES)


class SteppingPool(WriterPool):
    """Runs a job when it is told to."""

    def __init__(self) -> None:
        """Needs no reactor."""
        self.jobs: list[Callable[[], object]] = []

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Queue a job."""
        done: Deferred[T] = Deferred()
        self.jobs.append(lambda: maybeDeferred(work).chainDeferred(done))
        return done

    def turn(self) -> None:
        """Run the first one."""
        self.jobs.pop(0)()


class SpaceMachine(RuleBasedStateMachine):
    """The store is on a disk, the index is a model of one."""

    committing = Bundle("committing")
    committed = Bundle("committed")
    claims = Bundle("claims")
    readers = Bundle("readers")

    @initialize()
    def begin(self) -> None:
        """Nothing is held."""
        self.folder = tempfile.TemporaryDirectory()
        self.store, self.index, self.clock, self.pool = DiskStore(Path(self.folder.name)), MemoryIndex(), Clock(), SteppingPool()
        recorder = Counting()
        self.eviction = Eviction(self.store, self.index, self.pool, recorder)
        room = Room(self.store, self.index, self.pool, self.pool, self.clock, recorder, self.eviction)
        self.parts = Parts(self.store, self.index, self.pool, self.pool, self.clock, recorder, room)
        self.index.start()
        self.writers: dict[int, BlobWriter] = {}
        self.held: dict[int, Claim] = {}
        self.open: dict[int, BlobReader] = {}
        self.nodes: dict[tuple[str, str], bytes] = {}
        self.running: list[Deferred[object]] = []

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Let something run beside the rest; what fails, fails the test."""
        self.running = [each for each in self.running if not each.called]
        self.running.append(Deferred.fromCoroutine(work))

    def quiesce(self) -> None:
        """Let everything end that runs."""
        while self.pool.jobs:
            self.pool.turn()
        for each in self.running:
            assert each.called
            each.addErrback(lambda failure: failure.raiseException())
        self.running.clear()
        # What was evicted is known by now.
        self.nodes = {key: body for key, body in self.nodes.items() if self.index.node(*key) is not None}

    def put(self, body: bytes, repository: str, path: str) -> None:
        """Write a row."""
        self.clock.advance(1)
        now = self.clock.seconds()
        head = Head(len(body))
        node = Node(repository, path, name_of(body), len(body), head, created=now, modified=now, checked=now, origin="u")
        self.index.put(node, synced=True)
        self.nodes[repository, path] = body

    @rule(target=committing, body=bodies)
    def ingest(self, body: bytes) -> tuple[BlobWriter, bytes]:
        """A fill has all bytes."""
        writer = self.store.create(len(body))
        writer.write_at(0, [body])
        self.writers[id(writer)] = writer
        return writer, body

    @rule(target=committed, pair=consumes(committing))
    def commit(self, pair: tuple[BlobWriter, bytes]) -> tuple[BlobWriter, bytes]:
        """It is published, and claimed."""
        if id(pair[0]) in self.writers:
            pair[0].commit(name_of(pair[1]), durable=False, claim=True)
        return pair

    @rule(pair=consumes(committed), repository=repositories, path=paths, registers=st.booleans())
    def register(self, pair: tuple[BlobWriter, bytes], repository: str, path: str, *, registers: bool) -> None:
        """Its row is written, or that fails; either way the claim ends."""
        if self.writers.pop(id(pair[0]), None) is None:
            return  # it ended with its process
        if registers:
            assert read(self.store, name_of(pair[1])) is not None or self.pool.jobs
            self.put(pair[1], repository, path)
        pair[0].settle()

    @rule(target=claims, body=bodies)
    def claim(self, body: bytes) -> Any:
        """Another repository begins to link what is there."""
        claim = self.store.claim(name_of(body))
        if claim is None:
            return multiple()
        self.held[id(claim)] = claim
        return claim, body

    @rule(pair=consumes(claims), repository=repositories, path=paths)
    def link(self, pair: tuple[Claim, bytes], repository: str, path: str) -> None:
        """It links it."""
        if self.held.pop(id(pair[0]), None) is not None:
            self.put(pair[1], repository, path)
            pair[0].release()

    @rule(target=readers, body=bodies)
    def read(self, body: bytes) -> Any:
        """Open a blob."""
        reader = self.store.open(name_of(body))
        if reader is None:
            return multiple()
        self.open[id(reader)] = reader
        return reader, body

    @rule(pair=consumes(readers))
    def read_to_the_end(self, pair: tuple[BlobReader, bytes]) -> None:
        """Whatever happened since, it is all there."""
        del self.open[id(pair[0])]
        assert pair[1] == content(pair[0])

    @rule(repository=repositories, path=paths)
    def remove(self, repository: str, path: str) -> None:
        """A node goes, its blob's row stays."""
        self.index.remove(repository, path)
        self.nodes.pop((repository, path), None)

    @rule(repository=repositories, path=paths, pinned=st.booleans())
    def pin(self, repository: str, path: str, *, pinned: bool) -> None:
        """A node is pinned, or not."""
        self.index.pin(repository, path, pinned=pinned)

    @rule(need=st.sampled_from([1, 5001]))
    def evict(self, need: int) -> None:
        """Begin to make room."""
        self.start(self.eviction.free(need))

    @rule(repository=repositories, need=st.sampled_from([1, 5000]))
    def shrink(self, repository: str, need: int) -> None:
        """Begin to make a repository smaller."""
        before = self.index.held(repository).bytes
        self.start(self.eviction.shrink(repository, lambda: max(0, need - before + self.index.held(repository).bytes)))

    @rule()
    def collect(self) -> None:
        """Begin to collect garbage."""
        self.start(self.collecting())

    async def collecting(self) -> None:
        """No row may have lost its file: no process died here between two steps."""
        assert (await Collection(self.parts).run()).lost == 0

    @rule(jobs=st.integers(1, 3))
    def turn(self, jobs: int) -> None:
        """What runs goes on a little."""
        for _ in range(min(jobs, len(self.pool.jobs))):
            self.pool.turn()

    @rule()
    def look(self) -> None:
        """When nothing runs, every node has its blob, and the sums are right."""
        self.quiesce()
        named = {name_of(body): len(body) for body in self.nodes.values()}
        assert {key: name_of(body) for key, body in self.nodes.items()} == {
            (node.repository, node.path): node.sha256 for name in REPOSITORIES for node in self.index.nodes(name)
        }
        for body in self.nodes.values():
            assert body == read(self.store, name_of(body))
        for repository in REPOSITORIES:
            own = {name_of(body): len(body) for key, body in self.nodes.items() if key[0] == repository}
            assert (len(own), sum(own.values())) == (self.index.held(repository).blobs, self.index.held(repository).bytes)
        assert set(named) <= {row.sha256 for row in self.index.each_blob()}

    @rule()
    def restart(self) -> None:
        """Every claim and every writer ends; what was registered is there, what was not is garbage, and goes."""
        self.look()
        for writer in self.writers.values():
            writer.settle()
            if writer.fileno() >= 0:
                writer.abort()
        self.writers.clear()
        self.held.clear()
        self.store.recover()
        self.start(self.collecting())
        self.look()
        named = {name_of(body) for body in self.nodes.values()}
        assert named == {stat.sha256 for stat in self.store.each()} == {row.sha256 for row in self.index.each_blob()}

    def teardown(self) -> None:
        """End."""
        if hasattr(self, "folder"):
            self.restart()
            for reader in self.open.values():
                reader.close()
            self.folder.cleanup()


TestSpace = SpaceMachine.TestCase
TestSpace.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
