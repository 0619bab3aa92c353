"""Any sequence of operations on a store leaves what a dict would hold."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from regproxy.store.disk import DiskStore
from regproxy.store.interface import BlobStore
from regproxy.store.memory import MemoryStore
from regproxy.stream.source import BlobReader, BlobWriter
from tests.conformance.store import content, name_of, read

BODIES = [b"", b"a", b"bb", b"c" * 5000, b"d" * 70_000]
bodies = st.sampled_from(BODIES)


class StoreMachine(RuleBasedStateMachine):
    """Writers, readers and a model; subclasses say which store."""

    writers = Bundle("writers")
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.store = self.begin()
        self.model: dict[str, bytes] = {}
        self.open_writers: list[BlobWriter] = []
        self.open_readers: list[BlobReader] = []

    def begin(self) -> BlobStore:
        """An empty store."""
        return MemoryStore()

    @rule(target=writers, body=bodies, known=st.booleans(), cut=st.floats(0, 1))
    def write(self, body: bytes, *, known: bool, cut: float) -> tuple[BlobWriter, bytes]:
        """Write a body in two pieces, the second one first."""
        writer = self.store.create(len(body) if known else None)
        middle = int(len(body) * cut)
        writer.write_at(middle, [body[middle:]])
        writer.write_at(0, [body[:middle]])
        self.open_writers.append(writer)
        return writer, body

    @rule(pair=consumes(writers), durable=st.booleans())
    def commit(self, pair: tuple[BlobWriter, bytes], *, durable: bool) -> None:
        """Publish a body."""
        writer, body = pair
        writer.commit(name_of(body), durable=durable)
        self.open_writers.remove(writer)
        self.model[name_of(body)] = body

    @rule(pair=consumes(writers))
    def abort(self, pair: tuple[BlobWriter, bytes]) -> None:
        """Give a body up."""
        pair[0].abort()
        self.open_writers.remove(pair[0])

    @rule(target=readers, body=bodies)
    def open(self, body: bytes) -> tuple[BlobReader | None, bytes]:
        """Open a blob exactly if it is there."""
        reader = self.store.open(name_of(body))
        assert (name_of(body) in self.model) == (reader is not None)
        if reader is not None:
            self.open_readers.append(reader)
        return reader, body

    @rule(pair=consumes(readers))
    def read(self, pair: tuple[BlobReader | None, bytes]) -> None:
        """Read what was opened, whatever happened to its name since."""
        reader, body = pair
        if reader is not None:
            self.open_readers.remove(reader)
            assert body == content(reader)

    @rule(body=bodies)
    def delete(self, body: bytes) -> None:
        """Delete says whether there was something."""
        assert (self.model.pop(name_of(body), None) is not None) == self.store.delete(name_of(body))

    @rule(body=bodies)
    def quarantine(self, body: bytes) -> None:
        """Quarantine takes out of sight."""
        assert (self.model.pop(name_of(body), None) is not None) == self.store.quarantine(name_of(body))

    @rule(body=bodies)
    def sync(self, body: bytes) -> None:
        """Syncing changes nothing that can be seen."""
        if name_of(body) in self.model:
            self.store.sync(name_of(body))

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """Listing and content agree with the model."""
        assert {name: len(body) for name, body in self.model.items()} == {blob.sha256: blob.size for blob in self.store.each()}
        for name, body in self.model.items():
            assert body == read(self.store, name)

    def teardown(self) -> None:
        """Close what is open."""
        for writer in self.open_writers:
            writer.abort()
        for reader in self.open_readers:
            reader.close()


class DiskMachine(StoreMachine):
    """On a disk."""

    def begin(self) -> BlobStore:
        """An empty store."""
        self.folder = tempfile.TemporaryDirectory()
        return DiskStore(Path(self.folder.name))

    def teardown(self) -> None:
        """Nothing is left in the spool when every writer has ended."""
        super().teardown()
        assert self.store.recover() == 0
        self.folder.cleanup()


TestMemory = StoreMachine.TestCase
TestDisk = DiskMachine.TestCase
TestMemory.settings = TestDisk.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
