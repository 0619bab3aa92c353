"""A restore brings all that is right, and one that fails leaves nothing behind."""

import errno
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest

from regproxy import backup
from regproxy.backup import BackupError
from regproxy.index.migrate import connect
from regproxy.restore import Restored, restore
from regproxy.store.disk import DiskStore
from tests.conformance.store import name_of, read, stored
from tests.test_backup import Scene, told


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A backup in ``saved``: two local blobs and a cached one."""
    made = Scene(tmp_path / "old")
    made.hold(b"one", "one")
    made.hold(b"two", "two")
    made.hold(b"cached", "cached", origin="https://u.example/")
    made.save(everything=True)
    return made


def blob(scene: Scene, body: bytes, target: str = "saved") -> Path:
    """Where it lies in the backup."""
    return scene.root / target / backup.BLOBS / name_of(body)[:2] / name_of(body)


def files(folder: Path) -> set[str]:
    """All files below a folder, but for its lock."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"lock"}


def nodes(data_dir: Path) -> list[str]:
    """What the index names."""
    with closing(connect(data_dir / backup.INDEX)) as index:
        return [str(path) for (path,) in index.execute("SELECT path FROM nodes ORDER BY path").fetchall()]


def test_what_is_damaged_is_left_out(scene: Scene, tmp_path: Path) -> None:
    """Lost local blobs keep their names, cached ones do not; all else is there."""
    blob(scene, b"one").write_bytes(b"on3")
    blob(scene, b"cached").unlink()
    blob(scene, b"cached").mkdir()
    restored = restore(scene.root / "saved", tmp_path / "new")
    assert (1, 3, 2) == (restored.blobs, restored.bytes, len(told(restored)))
    assert {(("r:one",), True), (("r:cached",), False)} == {(each.nodes, each.local) for each in restored.findings}
    assert ["one", "two"] == nodes(tmp_path / "new")
    store = DiskStore(tmp_path / "new" / "store")
    assert [None, b"two", None] == [read(store, name_of(body)) for body in (b"one", b"two", b"cached")]


def test_what_the_store_has_anyway_is_no_loss(scene: Scene, tmp_path: Path) -> None:
    """It is compared with its name there."""
    store = DiskStore(tmp_path / "new" / "store")
    stored(store, b"one")
    Path(store.path(stored(store, b"two"))).write_bytes(b"tw0")
    blob(scene, b"one").unlink()
    blob(scene, b"two").unlink()
    restored = restore(scene.root / "saved", tmp_path / "new")
    assert [("r:two",)] == [each.nodes for each in restored.findings]
    assert restored.blobs == 2


def test_what_was_lost_before_the_backup_is_lost_behind_it(scene: Scene, tmp_path: Path) -> None:
    """As loud as it was."""
    scene.rot(name_of(b"one"))
    saved = scene.save("again")
    restored = restore(scene.root / "again", tmp_path / "new")
    assert [("r:one",)] == [each.nodes for each in saved.findings] == [each.nodes for each in restored.findings]
    assert ["one", "two"] == nodes(tmp_path / "new")


def manifest(**changed: object) -> Callable[[Path], object]:
    """Write another ``backup.json``."""

    def write(saved: Path) -> None:
        path = saved / backup.MANIFEST
        path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | changed))

    return write


def index(change: Callable[[Path], object]) -> Callable[[Path], object]:
    """Do something to the index."""
    return lambda saved: change(saved / backup.INDEX)


def sql(statement: str) -> Callable[[Path], object]:
    """Change the index."""

    def change(path: Path) -> None:
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute(statement)

    return index(change)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (manifest(version=99), "not of 99"),
        (manifest(blobs=1), "expected 1 blobs"),
        (manifest(bytes=1), "blobs of 1 bytes"),
        (manifest(version="x"), "complete backup"),
        (lambda saved: (saved / backup.MANIFEST).write_bytes(b"\xff"), "complete backup"),
        (lambda saved: (saved / backup.MANIFEST).unlink(), "complete backup"),
        (sql("INSERT INTO schema_version VALUES (999, 0, '')"), "newer than this program's"),
        (sql("UPDATE schema_version SET checksum = '' WHERE version = 1"), "another schema 1"),
        (sql("DELETE FROM schema_version"), "not an empty one"),
        (index(lambda path: os.truncate(path, path.stat().st_size // 2)), "malformed"),
        (index(lambda path: os.truncate(path, 0)), "expected an index"),
        (index(lambda path: path.write_bytes(b"x" * 9000)), "not a database"),
        (index(Path.unlink), "unable to open"),
    ],
)
def test_what_is_no_backup_is_refused(scene: Scene, tmp_path: Path, spoil: Callable[[Path], object], why: str) -> None:
    """In one line; not even the folder is made."""
    spoil(scene.root / "saved")
    with pytest.raises(BackupError, match=why) as raised:
        restore(scene.root / "saved", tmp_path / "new")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("shutil.copyfile", OSError(errno.ENOSPC, "full")),
        ("regproxy.store.spool.SpoolWriter.commit", OSError(errno.ENOSPC, "full")),
        ("regproxy.index.snapshot.Snapshot.drop_cached", apsw.FullError("full")),
        ("regproxy.restore._put_aside", OSError(errno.ENOSPC, "full")),
    ],
)
def test_a_full_disk(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception) -> None:
    """Told in one line; what was there is there, and nothing else."""
    new = tmp_path / "new"
    restore(scene.root / "saved", new)
    before = files(new)
    scene.hold(b"more", "more")
    scene.save("again", everything=True)
    blob(scene, b"cached", "again").unlink()
    DiskStore(new / "store").delete(name_of(b"cached"))

    def full(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(place, full)
        with pytest.raises(BackupError, match="full"):
            restore(scene.root / "again", new, replace=True)
    assert {path for path in before if not path.endswith(name_of(b"cached"))} == files(new)
    assert ["cached", "one", "two"] == nodes(new)


def test_each_index_that_is_put_aside_stays(scene: Scene, tmp_path: Path) -> None:
    """With what it had in its log, under a name of its own."""
    new = tmp_path / "new"
    restored: list[Restored] = [restore(scene.root / "saved", new)]
    live = connect(new / backup.INDEX)
    live.execute("INSERT INTO words VALUES ('first', '')")
    log = (new / f"{backup.INDEX}-wal").read_bytes()
    data = (new / backup.INDEX).read_bytes()
    live.close()
    (new / backup.INDEX).write_bytes(data)
    (new / f"{backup.INDEX}-wal").write_bytes(log)  # as a kill leaves it
    restored += [restore(scene.root / "saved", new, replace=True) for _ in range(3)]
    assert ["", *(f"{new / backup.INDEX}.before-restore.{number}" for number in (1, 2, 3))] == [each.aside for each in restored]
    words = []
    for each in restored[1:]:
        with closing(apsw.Connection(each.aside)) as old:
            words.append(old.execute("SELECT count(*) FROM words WHERE name = 'first'").fetchall()[0][0])
    assert [1, 0, 0] == words


def test_a_damaged_index_is_put_aside(scene: Scene, tmp_path: Path) -> None:
    """With what lies beside it: nothing of it gets into the new one."""
    new = tmp_path / "new"
    restore(scene.root / "saved", new)
    (new / backup.INDEX).write_bytes(b"x" * 9000)
    (new / f"{backup.INDEX}-wal").write_bytes(b"log")
    aside = restore(scene.root / "saved", new, replace=True).aside
    assert b"x" * 9000 == Path(aside).read_bytes()
    assert not (new / f"{backup.INDEX}-wal").exists()
    assert ["cached", "one", "two"] == nodes(new)


def test_a_journal_that_a_killed_restore_has_left(scene: Scene, tmp_path: Path) -> None:
    """It is of another index."""
    new = tmp_path / "new"
    new.mkdir()
    for companion in ("", "-journal", "-wal"):
        (new / f"{backup.INDEX}.restoring{companion}").write_bytes(b"left")
    restore(scene.root / "saved", new)
    assert ["cached", "one", "two"] == nodes(new)
    assert not [path for path in new.iterdir() if "restoring" in path.name]
