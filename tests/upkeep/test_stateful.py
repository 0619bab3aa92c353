"""Store and index together, killed between any two of their steps: a verification always tells rot from order, a repair
leaves order, and everything that was acknowledged and has not rotted is there.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.defer import Deferred

from regproxy.index.sqlite import SqliteIndex
from regproxy.model.head import Head
from regproxy.model.node import Node
from regproxy.repo.eviction import Eviction
from regproxy.repo.parts import Parts
from regproxy.repo.room import Room
from regproxy.store.disk import DiskStore
from regproxy.stream.rehash import Pace
from regproxy.upkeep.report import Report, Trouble
from regproxy.upkeep.verification import Verification
from tests.conformance.store import read
from tests.fakes.remote import Counting, InlinePool
from tests.index.threads import ThreadedClock

BODIES = [b"", b"a", b"b" * 5000, b"c" * 70_000]
PATHS = ["p", "p/q", "r"]
NAMES = {body: hashlib.sha256(body).hexdigest() for body in BODIES}

bodies, paths = st.sampled_from(BODIES), st.sampled_from(PATHS)
BAD = {Trouble.DAMAGED, Trouble.MISSING, Trouble.SIZE}


class HoldingsMachine(RuleBasedStateMachine):
    """One data directory; the model is what was acknowledged, and which blobs were harmed behind the program's back."""

    def __init__(self) -> None:
        super().__init__()
        self.folders = [tempfile.TemporaryDirectory()]
        self.model: dict[str, bytes] = {}
        self.harmed: set[bytes] = set()
        self.begin(Path(self.folders[0].name))

    def begin(self, root: Path) -> None:
        """Start as a server does."""
        self.root = root
        self.clock = ThreadedClock()
        self.clock.advance(1e9)
        self.index = SqliteIndex(root / "index.sqlite", self.clock)
        self.store = DiskStore(root / "store")
        self.store.recover()
        self.index.start()
        pool, recorder = InlinePool(), Counting()
        eviction = Eviction(self.store, self.index, pool, recorder)
        room = Room(self.store, self.index, pool, pool, self.clock, recorder, eviction)
        self.parts = Parts(self.store, self.index, pool, pool, self.clock, recorder, room)

    def kill(self) -> None:
        """Go on with what a kill -9 would have left now: a copy of the folder, taken while everything is open."""
        self.folders.append(tempfile.TemporaryDirectory())
        root = Path(self.folders[-1].name) / "data"
        shutil.copytree(self.root, root)
        self.clock.wait(self.index.close())
        self.begin(root)

    def node(self, path: str, body: bytes) -> Node:
        """What is known of a body."""
        return Node("r", path, NAMES[body], len(body), Head(len(body)), origin="https://upstream.example/x")

    @rule(path=paths, body=bodies, durable=st.booleans(), cut=st.sampled_from(["", "", "begun", "written", "committed"]))
    def put(self, path: str, body: bytes, *, durable: bool, cut: str) -> None:
        """Bring an artifact in, or be killed on the way."""
        writer = self.store.create(len(body))
        if cut == "begun":
            self.kill()
            return
        writer.write_at(0, [body])
        if cut == "written":
            self.kill()
            return
        writer.commit(NAMES[body], durable=durable)
        self.harmed.discard(body)
        if cut == "committed":
            self.kill()
            return
        self.clock.wait(self.index.put(self.node(path, body), synced=durable))
        self.model[path] = body

    @rule(path=paths, cut=st.sampled_from(["", "", "removed", "forgotten"]))
    def remove(self, path: str, cut: str) -> None:
        """Delete an artifact, or be killed on the way: row, blob's row, blob."""
        body = self.model.pop(path, None)
        if body is None:
            return
        self.clock.wait(self.index.remove("r", path))
        if cut == "removed":
            self.kill()
            return
        forgotten = self.clock.wait(self.index.forget(NAMES[body]))
        if cut == "forgotten":
            self.kill()
            return
        if forgotten:
            self.store.delete(NAMES[body])
            self.harmed.discard(body)

    @rule(body=bodies)
    def rot(self, body: bytes) -> None:
        """Turn a bit on the disk."""
        path = self.file(body)
        if path.exists() and body and body not in self.harmed:
            path.write_bytes(bytes([body[0] ^ 1]) + body[1:])
            self.harmed.add(body)

    @rule(body=bodies)
    def lose(self, body: bytes) -> None:
        """Take a file away."""
        if self.file(body).exists():
            self.file(body).unlink()
            self.harmed.add(body)

    def file(self, body: bytes) -> Path:
        """Where a blob lies."""
        return self.root / "store" / "blobs" / "sha256" / NAMES[body][:2] / NAMES[body]

    @rule()
    def restart(self) -> None:
        """Stop well, and start."""
        self.clock.wait(self.index.close())
        self.begin(self.root)

    @rule()
    def crash(self) -> None:
        """Be killed while nothing is going on."""
        self.kill()

    def verify(self, *, repair: bool) -> Report:
        """Verify everything."""
        made = Verification(self.parts, Pace(self.clock), repair=repair, strict=True)
        return self.clock.wait(Deferred.fromCoroutine(made.run()))

    @rule()
    def find(self) -> None:
        """A verification finds what was harmed and has a row, and nothing else."""
        rows = {row.sha256 for row in self.index.each_blob()}
        found = {finding.name for finding in self.verify(repair=False).violations if finding.trouble in BAD}
        assert {NAMES[body] for body in self.harmed} & rows == found

    @rule()
    def repair(self) -> None:
        """A repair drops what was harmed, and leaves nothing to be found, garbage included."""
        self.verify(repair=True)
        self.model = {path: body for path, body in self.model.items() if body not in self.harmed}
        self.harmed.clear()
        assert self.verify(repair=False).findings == ()

    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        """Nodes are those of the model; their bytes are right unless they were harmed."""
        for path in PATHS:
            node, body = self.index.node("r", path), self.model.get(path)
            assert (node.sha256 if node else None) == (NAMES[body] if body is not None else None)
            if body is not None and body not in self.harmed:
                assert body == read(self.store, NAMES[body])

    def teardown(self) -> None:
        """Close and clean up."""
        self.clock.wait(self.index.close())
        for folder in self.folders:
            folder.cleanup()


TestHoldings = HoldingsMachine.TestCase
TestHoldings.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
