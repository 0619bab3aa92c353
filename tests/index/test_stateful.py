"""Any sequence of changes leaves SQLite, memory and a plain model saying the same."""

import tempfile
from pathlib import Path

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.defer import Deferred

from regproxy.index.memory import MemoryIndex
from regproxy.index.sqlite import SqliteIndex
from regproxy.model.digest import Digest
from regproxy.model.headers import Headers
from regproxy.model.node import Negative, Node
from tests.conformance.index import node_at, sha256
from tests.index.threads import ThreadedClock

REPOSITORIES = ["npm", "pypi"]
PATHS = ["a", "a/b", "b"]
BLOBS = range(1, 5)
DIGESTS = [Digest("sha1", character * 40) for character in "12"]

repositories, paths, blobs = st.sampled_from(REPOSITORIES), st.sampled_from(PATHS), st.sampled_from(BLOBS)
times = st.integers(1, 1000).map(float)
nodes = st.builds(node_at, paths, blobs, repositories, times)


class IndexMachine(RuleBasedStateMachine):
    """Two indexes; the model holds nodes only, and knows from them which blobs are named."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryIndex()
        self.memory.start()
        self.model: dict[tuple[str, str], Node] = {}
        self.begin()

    def begin(self) -> None:
        """Open the file."""
        self.clock = ThreadedClock()
        self.sqlite = SqliteIndex(Path(self.folder.name) / "index.sqlite", self.clock)
        self.sqlite.start()
        assert self.sqlite.was_clean

    def both(self, first: Deferred[object], second: Deferred[object]) -> object:
        """Wait for the same change of both; they must agree on what came of it."""
        result = self.clock.wait(first)
        assert self.clock.wait(second) == result
        return result

    @rule(node=nodes, synced=st.booleans(), digests=st.lists(st.sampled_from(DIGESTS), max_size=2))
    def put(self, node: Node, *, synced: bool, digests: list[Digest]) -> None:
        """Put a node."""
        self.both(
            self.sqlite.put(node, synced=synced, digests=digests).addCallback(lambda _: None),
            self.memory.put(node, synced=synced, digests=digests).addCallback(lambda _: None),
        )
        key = (node.repository, node.path)
        held = self.model.get(key)
        self.model[key] = evolve(node, created=held.created) if held else node

    @rule(node=nodes)
    def refresh(self, node: Node) -> None:
        """Confirm a node, which may have another blob by now."""
        fresh = evolve(node, validators=Headers.of(etag='"fresh"'))
        self.both(
            self.sqlite.refresh(fresh).addCallback(lambda _: None),
            self.memory.refresh(fresh).addCallback(lambda _: None),
        )
        held = self.model.get((node.repository, node.path))
        if held and held.sha256 == node.sha256:
            self.model[node.repository, node.path] = evolve(fresh, created=held.created)

    @rule(repository=repositories, path=paths)
    def remove(self, repository: str, path: str) -> None:
        """Remove a node."""
        there = self.model.pop((repository, path), None) is not None
        removed = self.both(
            self.sqlite.remove(repository, path).addCallback(bool), self.memory.remove(repository, path).addCallback(bool)
        )
        assert there == removed

    @rule(repository=repositories, path=paths, status=st.sampled_from([404, 410]), expires=times)
    def deny(self, repository: str, path: str, status: int, expires: float) -> None:
        """Deny a path."""
        negative = Negative(repository, path, status, expires)
        self.both(self.sqlite.deny(negative).addCallback(lambda _: None), self.memory.deny(negative).addCallback(lambda _: None))

    @rule(blob=blobs)
    def forget(self, blob: int) -> None:
        """Forget a blob exactly if no node names it."""
        named = sha256(blob) in {node.sha256 for node in self.model.values()}
        forgotten = self.both(
            self.sqlite.forget(sha256(blob)).addCallback(bool), self.memory.forget(sha256(blob)).addCallback(bool)
        )
        assert forgotten == (not named)

    @rule(blob=blobs)
    def sync(self, blob: int) -> None:
        """Make a blob durable."""
        self.both(
            self.sqlite.synced(sha256(blob)).addCallback(lambda _: None),
            self.memory.synced(sha256(blob)).addCallback(lambda _: None),
        )

    @rule(repository=repositories, path=paths, blob=blobs, when=times)
    def use(self, repository: str, path: str, blob: int, when: float) -> None:
        """Download something, and wait until it is written."""
        self.sqlite.used(repository, path, sha256(blob), when)
        self.memory.used(repository, path, sha256(blob), when)
        self.clock.advance(10)
        self.clock.wait(self.sqlite.remember("caught", "up"))

    @rule(repository=repositories, path=paths, pinned=st.booleans())
    def pin(self, repository: str, path: str, *, pinned: bool) -> None:
        """Pin a node, or not."""
        self.both(
            self.sqlite.pin(repository, path, pinned=pinned).addCallback(bool),
            self.memory.pin(repository, path, pinned=pinned).addCallback(bool),
        )

    @rule()
    def evict(self) -> None:
        """Evict the blob that is offered first, with its nodes."""
        rows = self.memory.least_used(())
        assert rows == self.sqlite.least_used(())
        if rows:
            assert self.both(self.sqlite.evict(rows[0], ()).addCallback(bool), self.memory.evict(rows[0], ()).addCallback(bool))
            self.model = {key: node for key, node in self.model.items() if node.sha256 != rows[0].sha256}

    @rule()
    def restart(self) -> None:
        """Close the file and open it again."""
        self.clock.wait(self.sqlite.close())
        self.begin()

    @invariant()
    def agree(self) -> None:
        """Every question has one answer."""
        for repository in REPOSITORIES:
            for path in PATHS:
                expected = self.model.get((repository, path))
                assert expected == self.sqlite.node(repository, path)
                assert expected == self.memory.node(repository, path)
                assert self.memory.negative(repository, path) == self.sqlite.negative(repository, path)
            listed = [self.model[key] for key in sorted(self.model) if key[0] == repository]
            assert listed == self.sqlite.nodes(repository) == self.memory.nodes(repository)
            assert self.memory.held(repository) == self.sqlite.held(repository)
            assert self.memory.least_used_in(repository, 1e12) == self.sqlite.least_used_in(repository, 1e12)
        assert self.memory.held() == self.sqlite.held()
        assert list(self.memory.each_blob()) == list(self.sqlite.each_blob())
        assert self.memory.unreferenced() == self.sqlite.unreferenced()
        assert self.memory.unsynced() == self.sqlite.unsynced()
        for digest in DIGESTS:
            assert self.memory.blob_of(digest) == self.sqlite.blob_of(digest)

    def teardown(self) -> None:
        """Close the file."""
        self.clock.wait(self.sqlite.close())
        self.folder.cleanup()


TestIndexes = IndexMachine.TestCase
TestIndexes.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
