"""A spool file and its journal: begun, gone on with, left, ended, and what is open or lies about afterwards."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from regproxy.model.ranges import Span
from regproxy.store import journal
from regproxy.store.disk import DiskStore
from regproxy.store.layout import Layout
from regproxy.store.spool import SpoolWriter
from tests.conformance.store import name_of, read, stored
from tests.store.test_disk import open_below


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    """An empty store."""
    return DiskStore(tmp_path / "store")


def spooled(store: DiskStore) -> list[str]:
    """What lies in the spool, by the ends of the names."""
    return sorted(path.name.partition(".")[2] for path in (store.root / "spool").iterdir())


def kept(store: DiskStore, data: bytes, *, durable: bool = True, length: int | None = None) -> str:
    """Write a piece and leave it; its name."""
    writer = store.create(length, b"about")
    writer.write_at(0, [data[:1]])
    writer.write_at(1, [data[1:]])
    assert os.fstat(writer.fileno()).st_blocks * 512 >= (length or 0)
    name = writer.name
    assert name is not None
    assert writer.keep(durable=durable)
    return name


@pytest.mark.parametrize("where", ["os.write", "pathlib.Path.rename"])
def test_a_journal_that_cannot_be_begun_leaves_nothing(store: DiskStore, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A disk that is full by then: neither a file nor a descriptor stays, else they would pile up while it is full."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    before = open_below(store.root)
    monkeypatch.setattr(where, refuse)
    with pytest.raises(OSError, match="full"):
        store.create(None, b"about")
    monkeypatch.undo()
    assert (spooled(store), open_below(store.root)) == ([], before)


def test_going_on(store: DiskStore) -> None:
    """What was left is there, and is committed with what comes."""
    name = kept(store, b"abc")
    writer = store.resume(name, 6)
    assert writer is not None
    assert (writer.name, os.pread(writer.fileno(), 10, 0)) == (name, b"abc")
    writer.write_at(3, [b"d", b"ef"])
    writer.commit(name_of(b"abcdef"), durable=False)
    assert (read(store, name_of(b"abcdef")), spooled(store), open_below(store.root)) == (b"abcdef", [], [])


def test_only_one_goes_on(store: DiskStore) -> None:
    """Neither with what is not there, nor with what another one has; nothing is left open by who is refused."""
    assert store.resume("0" * 32, None) is None
    name = kept(store, b"abc")
    first = store.resume(name, None)
    assert first is not None
    before = open_below(store.root)
    assert store.resume(name, None) is None
    assert open_below(store.root) == before
    first.abort()
    assert (store.resume(name, None), spooled(store), open_below(store.root)) == (None, [], [])


def test_another_ended_it_meanwhile(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened, and removed before it was locked: that is nobody's file any more."""
    name = kept(store, b"abc")
    real = fcntl.flock

    def lock(descriptor: int, operation: int) -> None:
        (store.root / "spool" / name).unlink(missing_ok=True)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock)
    assert store.resume(name, None) is None
    assert open_below(store.root) == []


@pytest.mark.parametrize("where", ["os.write", "regproxy.store.spool.reserve"])
def test_no_room_to_go_on(store: DiskStore, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Neither for the body nor for a line of the journal: it is left as it was, for later."""
    name = kept(store, b"abc")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(where, refuse)
    with pytest.raises(OSError, match="full"):
        store.resume(name, 1 << 20)
    monkeypatch.undo()
    assert open_below(store.root) == []
    assert [left.name for left in store.left()] == [name]


def test_what_is_reserved(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The length if there is one, once, with the second write; at once by who goes on, less what is on the disk already."""
    asked: list[object] = []
    for name in ("require", "reserve"):
        monkeypatch.setattr(f"regproxy.store.spool.{name}", lambda _, *sizes, name=name: asked.append((name, *sizes)))
    for length in (9000, None):
        writer = store.create(length, b"about")
        for number in range(3):
            writer.write_at(3000 * number, [b"x" * 3000])
            asked.append(number)
    assert asked == [("require", 9000), 0, ("reserve", 9000), 1, 2, ("require", 0), 0, 1, 2]
    spooled = str(writer.name)
    assert writer.keep(durable=False)
    asked.clear()
    for length in (10_000, None):
        again = store.resume(spooled, length)
        assert again is not None
        again.keep(durable=False)
    used = (store.root / "spool" / spooled).stat().st_blocks * 512
    assert asked == [("reserve", 10_000, used), ("reserve", 0, used)]


def test_only_what_has_to_last_is_synced(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a commit that need not be durable nor a failure waits for the disk, with a journal or without."""
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    monkeypatch.setattr(os, "fsync", calls.append)
    for about in (None, b"about"):
        store.create(3, about).abort()
        writer = store.create(3, about)
        writer.write_at(0, [b"abc"])
        writer.commit(name_of(b"abc"), durable=False)
        store.delete(name_of(b"abc"))
    assert calls == []


@pytest.mark.parametrize("durable", [True, False])
def test_without_a_claim(store: DiskStore, *, durable: bool) -> None:
    """A commit leaves nothing that keeps the blob, and nothing to give up."""
    for _ in range(2):
        writer = store.create(3)
        writer.write_at(0, [b"abc"])
        writer.commit(name_of(b"abc"), durable=durable)
        assert list((store.root / "moving").iterdir()) == []
        writer.settle()
    assert store.delete(name_of(b"abc"))


@pytest.mark.parametrize("durable", [True, False])
def test_what_is_left(store: DiskStore, monkeypatch: pytest.MonkeyPatch, *, durable: bool) -> None:
    """Its extents and whether it is sure; room beyond its end is given back, data and folder are synced if they are to be."""
    calls: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: calls.append("data"))
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("folder"))
    name = kept(store, b"abc", durable=durable, length=8 << 20)
    (left,) = store.left()
    assert (left.name, left.about, tuple(left.extents), left.clean) == (name, b"about", (Span(0, 3),), durable)
    assert left.used < 1 << 20
    # The bytes before the line that vouches for them, and that line before the folder.
    assert calls == (["data", "data", "folder"] if durable else [])
    assert open_below(store.root) == []


@pytest.mark.parametrize("durable", [True, False])
def test_readers_do_not_keep_it_from_the_next(store: DiskStore, *, durable: bool) -> None:
    """Who reads on has a descriptor of the same open file: it is left all the same, and can be gone on with at once."""
    writer = store.create(None, b"about")
    reader = os.dup(writer.fileno())
    writer.write_at(0, [b"abc"])
    assert store.left() == []
    assert writer.keep(durable=durable)
    (left,) = store.left()
    again = store.resume(left.name, None)
    assert again is not None
    assert store.left() == []
    assert os.pread(reader, 3, 0) == b"abc"
    os.close(reader)
    again.abort()


def test_without_a_journal_nothing_is_left(store: DiskStore) -> None:
    """Nobody would know what it is."""
    writer = store.create(10)
    writer.write_at(0, [b"abc"])
    assert (writer.name, writer.keep(durable=True), spooled(store), open_below(store.root)) == (None, False, [], [])


@pytest.mark.parametrize("end", [SpoolWriter.abort, SpoolWriter.settle])
def test_a_claim_is_given_up(store: DiskStore, end: Callable[[SpoolWriter], None]) -> None:
    """The blob stays, the second name goes, whoever gives it up; before the commit there is nothing to give up."""
    writer = store.create(3)
    writer.settle()
    assert spooled(store) == [""]
    writer.write_at(0, [b"abc"])
    writer.commit(name_of(b"abc"), durable=False, claim=True)
    assert not store.delete(name_of(b"abc"))
    end(writer)
    writer.settle()
    assert (read(store, name_of(b"abc")), spooled(store), open_below(store.root)) == (b"abc", [], [])
    assert store.delete(name_of(b"abc"))


def test_the_journal_says_how_it_ended(store: DiskStore) -> None:
    """Those who read along are told before the files go."""
    said = {}
    for ending in ("complete", "failed"):
        writer = store.create(3, b"about")
        writer.write_at(0, [b"abc"])
        path = store.root / "spool" / f"{writer.name}{journal.EXTENTS}"
        with path.open("rb") as attending:
            if ending == "complete":
                writer.commit(name_of(b"abc"), durable=False)
            else:
                writer.abort()
            said[ending] = attending.read().splitlines()[-1].decode()
        assert (spooled(store), open_below(store.root)) == ([], [])
    assert said == {"complete": "complete", "failed": "failed"}


def test_a_sync_is_of_data_and_name(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order; of what is gone there is none."""
    calls: list[str] = []
    name = stored(store, b"body", durable=False)
    monkeypatch.setattr(os, "fdatasync", lambda _: calls.append("data"))
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("folder"))
    store.sync(name)
    assert calls[0] == "data"
    assert set(calls[1:]) == {"folder"}
    assert open_below(store.root) == []
    store.delete(name)
    with pytest.raises(FileNotFoundError):
        store.sync(name)


def test_what_is_unfinished(store: DiskStore) -> None:
    """A file and its journal count once; a journal without its file counts."""
    first, second = store.create(None, b"about"), store.create(None)
    lone = store.root / "spool" / f"{'f' * 32}{journal.EXTENTS}"
    lone.touch()
    bare = next(path.name for path in (store.root / "spool").iterdir() if "." not in path.name and path.name != first.name)
    assert first.name is not None
    assert list(store.unfinished()) == sorted([first.name, bare, lone.name])
    first.abort()
    second.abort()
    assert list(store.unfinished()) == [lone.name]


def test_a_claim_whose_blob_gets_no_name(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that takes no name more: nothing of it stays, else its bytes would lie there until the next start."""
    stored(store, b"claimed")
    writer = store.create(None)
    writer.write_at(0, [b"claimed"])
    real = Path.rename

    def refuse(path: Path, target: str) -> Path:
        if "blobs" in str(target):
            raise OSError(errno.ENOSPC, "full")
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(OSError, match="full"):
            writer.commit(name_of(b"claimed"), durable=True, claim=True)
    writer.abort()
    assert list((store.root / "moving").iterdir()) == []
    assert store.delete(name_of(b"claimed"))


def test_a_claim_that_is_committed_again(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the name was there but could not be synced: once and once more, and nothing but blob and claim has the bytes."""
    writer = store.create(None)
    writer.write_at(0, [b"again"])

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "not synced")

    with monkeypatch.context() as patch:
        patch.setattr(Layout, "sync_name", refuse)
        for _ in range(3):
            with pytest.raises(OSError, match="not synced"):
                writer.commit(name_of(b"again"), durable=True, claim=True)
    writer.commit(name_of(b"again"), durable=True, claim=True)
    assert len(list((store.root / "moving").iterdir())) == 1
    writer.settle()
    assert (read(store, name_of(b"again")), list((store.root / "moving").iterdir())) == (b"again", [])
    assert store.delete(name_of(b"again"))
