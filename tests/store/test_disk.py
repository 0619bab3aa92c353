"""What only a store on a disk can do wrong: rights, links, leftovers, order of system calls."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from regproxy.store import spool
from regproxy.store.disk import DiskStore
from regproxy.store.spool import prefix_of
from tests.conformance.store import name_of, read, stored


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    """An empty store."""
    return DiskStore(tmp_path / "store")


def blob_path(store: DiskStore, name: str) -> Path:
    """Where a blob lies."""
    return store.root / "blobs" / "sha256" / name[:2] / name


def test_layout_and_rights(store: DiskStore) -> None:
    """Blobs lie in fan-out folders; nobody else may read or list anything."""
    name = stored(store, b"private")
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert [blob_path(store, name)] == files
    assert {0o700} == {stat.S_IMODE(path.stat().st_mode) for path in (store.root, *store.root.rglob("*")) if path.is_dir()}
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_links_are_not_followed(store: DiskStore, tmp_path: Path) -> None:
    """A symbolic link under a blob's name is an error, not a way out."""
    name = stored(store, b"x")
    (tmp_path / "secret").write_bytes(b"secret")
    blob_path(store, name).unlink()
    blob_path(store, name).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic") as caught:
        store.open(name)
    assert caught.value.errno == errno.ELOOP
    assert list(store.each()) == []


def test_fifos_do_not_block(store: DiskStore) -> None:
    """A FIFO under a blob's name is an error at once, and not left open."""
    name = stored(store, b"x")
    blob_path(store, name).unlink()
    os.mkfifo(blob_path(store, name))
    with pytest.raises(OSError, match="regular"):
        store.open(name)
    assert open_below(store.root) == []


@pytest.mark.parametrize("durable", [True, False])
def test_commit_replaces_a_link(store: DiskStore, tmp_path: Path, *, durable: bool) -> None:
    """Whatever else has a blob's name gives way to it, and what a link points to is not touched."""
    name = stored(store, b"body")
    (tmp_path / "other").write_bytes(b"four")
    blob_path(store, name).unlink()
    blob_path(store, name).symlink_to(tmp_path / "other")
    stored(store, b"body", durable=durable)
    assert read(store, name) == b"body"
    assert (tmp_path / "other").read_bytes() == b"four"


@pytest.mark.parametrize("durable", [True, False])
def test_what_is_verified_replaces_what_has_rotted(store: DiskStore, *, durable: bool) -> None:
    """A damaged blob of the right size does not outlive the commit of a good one."""
    name = stored(store, b"same", durable=True)
    blob_path(store, name).write_bytes(b"sAme")
    stored(store, b"same", durable=durable)
    assert read(store, name) == b"same"


def test_what_may_be_durable_is_replaced_durably_only(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that need not be durable is, where the name was taken: data, name and folder."""
    calls: list[str] = []
    stored(store, b"same", durable=True)
    monkeypatch.setattr(os, "fdatasync", lambda _: calls.append("data"))
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("folder"))
    stored(store, b"other", durable=False)
    assert calls == []
    stored(store, b"same", durable=False)
    assert calls == ["data", "folder"]


def test_reservations_are_given_back(store: DiskStore) -> None:
    """A blob that ends up shorter than announced does not keep the space of the rest."""
    writer = store.create(8 << 20)
    writer.write_at(0, [b"sho"])
    writer.write_at(3, [b"rt"])
    assert os.fstat(writer.fileno()).st_blocks * 512 >= 8 << 20
    writer.commit(name_of(b"short"), durable=True)
    found = blob_path(store, name_of(b"short")).stat()
    assert found.st_size == 5
    assert found.st_blocks * 512 < 1 << 20


def test_recover_empties_the_spool(store: DiskStore) -> None:
    """Whatever a crash left in the spool goes, and its bytes are counted; other folders there are left alone."""
    writer = store.create(1 << 20)
    writer.write_at(0, [b"x" * 1000])
    writer.write_at(1000, [b"y" * 1000])
    (store.root / "spool" / "folder").mkdir()
    reclaimed = DiskStore(store.root).recover()
    os.close(writer.fileno())
    assert reclaimed >= 1 << 20
    assert [path.name for path in (store.root / "spool").iterdir()] == ["folder"]


def test_a_link_to_a_folder_is_litter(store: DiskStore, tmp_path: Path) -> None:
    """In the spool it counts as what was left behind, and goes; what it points to stays."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    (store.root / "spool" / "link").symlink_to(tmp_path / "other")
    (store.root / "spool" / "nowhere").symlink_to(tmp_path / "nothing")
    assert store.unfinished() == ["link", "nowhere"]
    store.recover()
    assert store.unfinished() == []
    assert (tmp_path / "other" / "file").read_text() == "mine"


def test_bytes_on_the_disk(store: DiskStore) -> None:
    """What is left says how many blocks it has, and a sweep how many it gave back."""
    writer = store.create(None, b"about")
    writer.write_at(0, [b"x" * 5000])
    path = store.root / "spool" / str(writer.name)
    assert writer.keep(durable=False)
    (left,) = store.left()
    used = path.stat().st_blocks * 512
    assert left.used == used >= 5000
    journal = sum(path.with_name(path.name + suffix).stat().st_blocks * 512 for suffix in (".meta", ".extents"))
    assert store.recover() == used + journal


def test_recover_keeps_a_blob_with_two_names(store: DiskStore) -> None:
    """A process that dies between the two steps of a commit leaves the blob whole."""
    name = stored(store, b"linked")
    (store.root / "spool" / "rest").hardlink_to(blob_path(store, name))
    assert store.recover() == 0
    assert read(store, name) == b"linked"


def test_strangers_are_not_listed(store: DiskStore) -> None:
    """Files whose names are no digests are not blobs."""
    name = stored(store, b"x")
    blob_path(store, name).with_name("notes.txt").write_text("mine")
    assert [name] == [blob.sha256 for blob in store.each()]


def test_quarantine_keeps_the_bytes(store: DiskStore) -> None:
    """A quarantined blob can be looked at by an operator."""
    name = stored(store, b"odd")
    store.quarantine(name)
    assert (store.root / "quarantine" / name).read_bytes() == b"odd"


def test_data_before_name_before_folder(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A durable commit syncs the data, then renames, then syncs the folder and, once, the one above it."""
    calls: list[str] = []
    real_rename = Path.rename

    def rename(path: Path, target: str) -> Path:
        calls.append("rename")
        return real_rename(path, target)

    monkeypatch.setattr(os, "fdatasync", lambda _: calls.append("fdatasync"))
    monkeypatch.setattr(os, "fsync", lambda number: calls.append(f"fsync {Path(f'/proc/self/fd/{number}').readlink()}"))
    monkeypatch.setattr(Path, "rename", rename)
    name = stored(store, b"order")
    folder = blob_path(store, name).parent
    assert ["fdatasync", "rename", "rename", f"fsync {folder}", f"fsync {folder.parent}"] == calls
    calls.clear()
    stored(store, b"order")
    assert ["fdatasync", "rename", f"fsync {folder}"] == calls


def test_a_failed_sync_publishes_nothing(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk does not take the data, the blob never gets its name, and abort cleans up."""

    def refuse(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fdatasync", refuse)
    writer = store.create(3)
    writer.write_at(0, [b"abc"])
    with pytest.raises(OSError, match="broken"):
        writer.commit(name_of(b"abc"), durable=True)
    writer.abort()
    assert store.open(name_of(b"abc")) is None
    assert list((store.root / "spool").iterdir()) == []


def open_below(folder: Path) -> list[str]:
    """What this process has open there; files of other tests may be closed at any moment."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            found.append(str(link.readlink()))
    return [target for target in found if target.startswith(f"{folder}/")]


def test_a_failed_reservation_leaves_nothing(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither file nor descriptor is left of a blob that could not be begun."""

    def refuse(descriptor: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(spool, "require", refuse)
    before = open_below(store.root)
    with pytest.raises(OSError, match="full"):
        store.create(1)
    assert open_below(store.root) == before
    assert list((store.root / "spool").iterdir()) == []


def test_reserved_with_the_second_write(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients wait for the first; what does not fit any more is said then, once, and the writer can be ended."""
    reserved = []

    def refuse(descriptor: int, length: int) -> None:
        reserved.append(length)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(spool, "reserve", refuse)
    writer = store.create(4)
    assert 4 == writer.due
    writer.write_at(0, [b"a"])
    assert [] == reserved
    assert 4 == writer.due
    with pytest.raises(OSError, match="full"):
        writer.write_at(1, [b"b"])
    assert 0 == writer.due
    writer.write_at(1, [b"bcd"])
    assert [4] == reserved
    writer.abort()
    assert list((store.root / "spool").iterdir()) == []


def test_what_is_deleted_leaves_no_file(store: DiskStore) -> None:
    """Not even out of sight, from where a start would bring it back."""
    name = stored(store, b"not wanted")
    assert store.delete(name)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []
    store.recover()
    assert store.open(name) is None


def test_a_claim_that_comes_while_it_is_deleted(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever publishes a blob between the two steps of its deletion has it in the end."""
    name = stored(store, b"wanted")
    writer = store.create(None)
    writer.write_at(0, [b"wanted"])
    real_rename = os.rename

    def rename(source: str, target: str) -> None:
        monkeypatch.setattr(os, "rename", real_rename)
        real_rename(source, target)
        writer.commit(name, durable=False, claim=True)

    monkeypatch.setattr(os, "rename", rename)
    assert not store.delete(name)
    writer.settle()
    assert read(store, name) == b"wanted"
    assert list((store.root / "moving").iterdir()) == []


def test_a_claim_on_what_has_gone_is_counted(store: DiskStore) -> None:
    """Its bytes are nobody's any more; those of the spool come on top."""
    name = stored(store, b"x" * 5000)
    claimed = store.root / "moving" / f"{name}.1"
    claimed.hardlink_to(blob_path(store, name))
    blob_path(store, name).unlink()
    (store.root / "spool" / "rest").write_bytes(b"y" * 5000)
    used = sum(path.stat().st_blocks * 512 for path in (claimed, store.root / "spool" / "rest"))
    assert store.recover() == used > 0


def test_where_a_blob_lies(store: DiskStore) -> None:
    """For those who copy it."""
    name = stored(store, b"x")
    assert store.path(name) == str(blob_path(store, name))


def test_a_crash_while_it_is_out_of_sight(store: DiskStore) -> None:
    """It may have been needed after all: it is back. One that somebody has stored meanwhile stays as it is."""
    name, other = stored(store, b"needed"), stored(store, b"stored anew")
    assert store.set_aside(name) is not None
    assert store.set_aside(other) is not None
    stored(store, b"stored anew")
    inode = blob_path(store, other).stat().st_ino
    store.recover()
    assert (read(store, name), blob_path(store, other).stat().st_ino) == (b"needed", inode)
    assert list((store.root / "moving").iterdir()) == []


def test_one_of_several_processes_ends(store: DiskStore) -> None:
    """What it had out of sight is there again, and what it had claimed may go; what others have of the store stays as it is."""
    name, claimed, ours, kept = (stored(store, text) for text in (b"aside", b"claimed", b"ours", b"kept"))
    assert store.set_aside(ours) is not None
    assert store.claim(kept) is not None
    process = os.fork()
    if not process:
        store.set_aside(name)
        store.claim(claimed)
        store.claim(kept)
        os._exit(0)
    os.waitpid(process, 0)
    assert (read(store, name), store.delete(claimed)) == (None, False)
    store.let_go(process)
    assert (read(store, name), store.delete(claimed)) == (b"aside", True)
    assert (read(store, ours), store.is_aside(ours), store.delete(kept)) == (None, True, False)


def gone_first(unlink: Callable[[str], None]) -> Callable[[str], None]:
    """The first one has gone when it is removed."""
    calls: list[str] = []

    def twice(path: str) -> None:
        calls.append(path)
        unlink(path)
        if len(calls) == 1:
            unlink(path)

    return twice


def test_what_a_dead_process_was_writing(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be continued goes at once, though some of it goes by itself; what can, and what others write, stays."""
    ours = store.create(None)
    process = os.fork()
    if not process:
        store.create(100).write_at(0, [b"x" * 100])
        store.create(None, b"about").write_at(0, [b"y"])
        os._exit(0)
    os.waitpid(process, 0)
    assert len(store.unfinished()) == 3
    (store.root / "spool" / f"{prefix_of(process)}{0:024x}").symlink_to("nowhere")
    monkeypatch.setattr(os, "unlink", gone_first(os.unlink))
    store.let_go(process)
    assert [left.about for left in store.left()] == [b"about"]
    assert len(store.unfinished()) == 2
    ours.abort()


def test_recover_drops_claims(store: DiskStore) -> None:
    """A claim ends with its process; its blob stays."""
    name = stored(store, b"claimed")
    assert store.claim(name) is not None
    assert store.recover() == 0
    assert store.delete(name)


def test_what_a_dead_process_left_comes_back_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One name that the disk does not take back stays for the next start, and the others do not wait for that."""
    store = DiskStore(tmp_path)
    names = [stored(store, bytes([number])) for number in range(3)]
    for name in names:
        assert store.set_aside(name) is not None
    link, fails = os.link, [True]

    def once(source: str, target: str) -> None:
        if fails.pop() if fails else False:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        link(source, target)

    monkeypatch.setattr(os, "link", once)
    with pytest.raises(OSError, match="Input/output"):
        store.let_go(os.getpid())
    assert sum(store.is_aside(name) for name in names) == 1


def test_a_blob_is_not_left_out_of_sight_by_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no descriptor for the second look at who needs it."""
    store = DiskStore(tmp_path)
    name = stored(store, b"needed")
    listdir, looks = os.listdir, list[str]()

    def second(path: str) -> list[str]:
        looks.append(path)
        if len(looks) == 2:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return listdir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", second)
        with pytest.raises(OSError, match="Too many"):
            store.set_aside(name)
    assert (store.is_aside(name), read(store, name)) == (False, b"needed")
