"""What every store of blobs does. A test module gives the fixture ``store`` and subclasses ``StoreContract``."""

import errno
import hashlib
import os

import pytest

from regproxy.model.ranges import Span
from regproxy.store.interface import BlobStore, Keep
from regproxy.stream.source import BlobReader

ABSENT = "0" * 64


def name_of(body: bytes) -> str:
    """The name of a blob."""
    return hashlib.sha256(body).hexdigest()


def content(reader: BlobReader) -> bytes:
    """All bytes of an open blob, which is closed."""
    try:
        return os.pread(reader.fileno(), reader.size + 1, 0)
    finally:
        reader.close()


def stored(store: BlobStore, body: bytes, *, durable: bool = True) -> str:
    """Commit a blob."""
    writer = store.create(len(body))
    writer.write_at(0, [body])
    writer.commit(name_of(body), durable=durable)
    return name_of(body)


def read(store: BlobStore, sha256: str) -> bytes | None:
    """A blob's bytes, or None."""
    reader = store.open(sha256)
    return None if reader is None else content(reader)


class StoreContract:
    """Behaviour that callers may rely on."""

    @pytest.mark.parametrize("durable", [True, False])
    @pytest.mark.parametrize("body", [b"", b"x", b"y" * 300_000])
    def test_what_is_committed_can_be_read(self, store: BlobStore, body: bytes, *, durable: bool) -> None:
        """A committed blob is there, whole, with its size."""
        name = stored(store, body, durable=durable)
        reader = store.open(name)
        assert reader is not None
        assert len(body) == reader.size
        assert body == content(reader)

    def test_absent_is_none(self, store: BlobStore) -> None:
        """A blob that is not there is None, not an error."""
        assert store.open(ABSENT) is None

    @pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "00/" + "0" * 61])
    def test_a_name_is_a_digest(self, store: BlobStore, name: str) -> None:
        """What is not a digest never becomes a path."""
        with pytest.raises(ValueError, match="name"):
            store.open(name)
        with pytest.raises(ValueError, match="name"):
            store.delete(name)

    def test_nothing_is_visible_before_commit(self, store: BlobStore) -> None:
        """A blob that is being written is neither opened nor listed."""
        writer = store.create(3)
        writer.write_at(0, [b"abc"])
        assert store.open(name_of(b"abc")) is None
        assert list(store.each()) == []
        writer.abort()

    def test_abort_leaves_nothing(self, store: BlobStore) -> None:
        """An aborted blob is not there, and its descriptor is closed."""
        writer = store.create(None)
        writer.write_at(0, [b"abc"])
        writer.abort()
        assert list(store.each()) == []
        assert writer.fileno() == -1

    def test_followers_read_what_was_written(self, store: BlobStore) -> None:
        """The writer's descriptor can be read before commit, and a copy of it afterwards too."""
        writer = store.create(6)
        writer.write_at(0, [b"abc"])
        follower = os.dup(writer.fileno())
        assert os.pread(follower, 10, 0) == b"abc"
        writer.write_at(3, [b"def"])
        writer.commit(name_of(b"abcdef"), durable=False)
        assert os.pread(follower, 10, 0) == b"abcdef"
        assert writer.fileno() == -1
        os.close(follower)

    def test_writes_may_come_in_any_order(self, store: BlobStore) -> None:
        """Pieces go where their offsets say; several buffers are one piece."""
        writer = store.create(9)
        writer.write_at(6, [b"g", b"", b"hi"])
        writer.write_at(0, [b"abc", b"def"])
        writer.commit(name_of(b"abcdefghi"), durable=True)
        assert read(store, name_of(b"abcdefghi")) == b"abcdefghi"

    def test_many_buffers(self, store: BlobStore) -> None:
        """More buffers than one system call takes are all written."""
        writer = store.create(None)
        writer.write_at(0, [b"%04d" % number for number in range(3000)])
        body = b"".join(b"%04d" % number for number in range(3000))
        writer.commit(name_of(body), durable=False)
        assert body == read(store, name_of(body))

    def test_no_buffers(self, store: BlobStore) -> None:
        """Writing nothing is no error."""
        writer = store.create(0)
        writer.write_at(0, [])
        writer.commit(name_of(b""), durable=False)
        assert read(store, name_of(b"")) == b""

    @pytest.mark.parametrize("first", [True, False])
    @pytest.mark.parametrize("second", [True, False])
    def test_a_blob_may_be_committed_twice(self, store: BlobStore, *, first: bool, second: bool) -> None:
        """The second commit of the same blob succeeds and changes nothing that can be seen."""
        name = stored(store, b"twice", durable=first)
        assert name == stored(store, b"twice", durable=second)
        assert [(name, 5)] == [(blob.sha256, blob.size) for blob in store.each()]

    def test_a_torn_blob_is_replaced(self, store: BlobStore) -> None:
        """A blob of the wrong size under a name gives way to the right one."""
        writer = store.create(None)
        writer.write_at(0, [b"to"])
        writer.commit(name_of(b"torn"), durable=False)
        stored(store, b"torn", durable=False)
        assert read(store, name_of(b"torn")) == b"torn"

    def test_readers_survive_delete(self, store: BlobStore) -> None:
        """An open blob can be read to its end after it was deleted."""
        reader = store.open(stored(store, b"kept open"))
        assert reader is not None
        assert store.delete(name_of(b"kept open"))
        assert store.open(name_of(b"kept open")) is None
        assert content(reader) == b"kept open"

    def test_delete_of_what_is_absent(self, store: BlobStore) -> None:
        """Deleting nothing is said, not raised."""
        assert not store.delete(ABSENT)

    def test_quarantine_hides(self, store: BlobStore) -> None:
        """A blob in quarantine is out of sight; it can be stored and quarantined again."""
        for _ in range(2):
            name = stored(store, b"bad")
            assert store.quarantine(name)
            assert store.open(name) is None
            assert list(store.each()) == []
        assert not store.quarantine(name)

    def test_quarantine_is_for_what_was_seen(self, store: BlobStore) -> None:
        """A blob that was stored anew while the one before was read through is another one."""
        name = stored(store, b"anew")
        seen = store.open(name)
        assert seen is not None
        stored(store, b"anew")
        assert not store.quarantine(name, seen)
        assert content(seen) == read(store, name) == b"anew"
        now = store.open(name)
        assert now is not None
        assert store.quarantine(name, now)
        assert not store.quarantine(name, now)
        now.close()

    def test_readers_may_be_closed_twice(self, store: BlobStore) -> None:
        """The second close does not touch a descriptor that is somebody else's by now."""
        reader = store.open(stored(store, b"x"))
        assert reader is not None
        number = reader.fileno()
        reader.close()
        other = os.open(os.devnull, os.O_RDONLY)
        assert number == other
        reader.close()
        os.fstat(other)
        os.close(other)

    def test_sync(self, store: BlobStore) -> None:
        """A stored blob can be made durable; one that has gone cannot."""
        store.sync(stored(store, b"later", durable=False))
        with pytest.raises(FileNotFoundError):
            store.sync(ABSENT)

    def test_each(self, store: BlobStore) -> None:
        """Every blob is listed once, with its size."""
        bodies = [b"%d" % number * number for number in range(1, 30)]
        names = {stored(store, body, durable=False): len(body) for body in bodies}
        listed = [(blob.sha256, blob.size) for blob in store.each()]
        assert sorted(names.items()) == sorted(listed)
        assert all(blob.modified > 0 for blob in store.each())

    def test_what_does_not_fit(self, store: BlobStore) -> None:
        """A length beyond the free space is refused at once and leaves nothing behind."""
        with pytest.raises(OSError, match="space") as caught:
            store.create(store.space().total + 1)
        assert caught.value.errno == errno.ENOSPC
        assert store.recover() == 0

    def test_space(self, store: BlobStore) -> None:
        """Free space is part of all space."""
        space = store.space()
        assert 0 < space.free <= space.total

    def test_recover_keeps_blobs(self, store: BlobStore) -> None:
        """What was committed is there after a recovery."""
        name = stored(store, b"kept")
        store.recover()
        assert read(store, name) == b"kept"

    @pytest.mark.parametrize("durable", [True, False])
    @pytest.mark.parametrize("again", [True, False])
    def test_what_is_claimed_is_not_deleted(self, store: BlobStore, *, durable: bool, again: bool) -> None:
        """Between a commit and its row nobody takes the blob away, whether it was there before or not; then anybody may."""
        if again:
            stored(store, b"body", durable=False)
        writer = store.create(None)
        writer.write_at(0, [b"body"])
        writer.commit(name_of(b"body"), durable=durable, claim=True)
        assert not store.delete(name_of(b"body"))
        assert read(store, name_of(b"body")) == b"body"
        writer.settle()
        assert store.delete(name_of(b"body"))
        assert read(store, name_of(b"body")) is None

    def test_what_is_there_can_be_claimed(self, store: BlobStore) -> None:
        """Each claim is one's own; nothing can be claimed that is not there."""
        assert store.claim(ABSENT) is None
        name = stored(store, b"body")
        claims = [store.claim(name), store.claim(name)]
        for claim in claims:
            assert store.is_claimed(name)
            assert not store.delete(name)
            assert claim is not None
            claim.release()
        assert not store.is_claimed(name)
        assert store.delete(name)

    def test_settling_without_a_claim(self, store: BlobStore) -> None:
        """It is nothing to give up a claim that was not made."""
        writer = store.create(None)
        writer.write_at(0, [b"body"])
        writer.settle()
        writer.commit(name_of(b"body"), durable=False)
        writer.settle()
        assert read(store, name_of(b"body")) == b"body"

    def test_what_is_kept_is_continued(self, store: BlobStore) -> None:
        """A blob that was begun with what it is can be left, found, continued and committed."""
        writer = store.create(9, b"about")
        writer.write_at(0, [b"abc"])
        writer.write_at(6, [b"ghi"])
        assert store.create(3).keep(durable=True) is False
        assert writer.keep(durable=True)
        (left,) = store.left()
        assert (left.about, left.extents, left.clean) == (b"about", (Span(0, 3), Span(6, 9)), True)
        assert list(store.each()) == []
        again = store.resume(left.name, 9)
        assert again is not None
        assert store.left() == []
        assert store.resume(left.name, 9) is None
        again.write_at(3, [b"def"])
        again.commit(name_of(b"abcdefghi"), durable=False)
        assert read(store, name_of(b"abcdefghi")) == b"abcdefghi"
        assert store.left() == []
        assert store.recover() == 0

    def test_what_is_kept_twice(self, store: BlobStore) -> None:
        """Continuing and leaving again adds up; what was left without care is not clean; aborting ends it."""
        store_one = store.create(None, b"x")
        store_one.write_at(0, [b"abc"])
        store_one.keep(durable=True)
        again = store.resume(store.left()[0].name, None)
        assert again is not None
        again.write_at(3, [b"d"])
        again.keep(durable=False)
        (left,) = store.left()
        assert (left.extents, left.clean) == ((Span(0, 4),), False)
        last = store.resume(left.name, None)
        assert last is not None
        assert os.pread(last.fileno(), 10, 0) == b"abcd"
        last.abort()
        assert store.left() == []
        assert store.resume(left.name, None) is None

    def test_recover_keeps_within_bounds(self, store: BlobStore) -> None:
        """The newest are kept, as far as age and bytes allow; without bounds nothing is."""
        for number in range(3):
            writer = store.create(None, b"%d" % number)
            writer.write_at(0, [b"x" * 4096])
            writer.keep(durable=False)
        each = store.left()[0]
        store.recover(Keep(each.modified - 3600, each.used * 2))
        assert len(store.left()) == 2
        store.recover(Keep(each.modified + 3600, each.used * 2))
        assert store.left() == []

    def test_what_was_set_aside(self, store: BlobStore) -> None:
        """It is out of sight until it is put back, and gone when it is dropped; what came meanwhile stays."""
        name = stored(store, b"body")
        aside = store.set_aside(name)
        assert aside is not None
        assert read(store, name) is None
        assert (store.is_aside(name), store.is_aside("0" * 64)) == (True, False)
        assert store.set_aside(name) is None
        aside.restore()
        assert read(store, name) == b"body"
        assert not store.is_aside(name)
        aside = store.set_aside(name)
        assert aside is not None
        stored(store, b"body")
        aside.restore()
        assert read(store, name) == b"body"
        aside = store.set_aside(name)
        assert aside is not None
        aside.drop()
        assert list(store.each()) == []
        assert not store.is_aside(name)
