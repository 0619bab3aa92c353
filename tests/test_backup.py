"""What is in a backup, what is told of the rest, and what is on the disk before it says that it is whole."""

import errno
import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy import backup
from regproxy.backup import Backup, BackupError
from regproxy.index import snapshot
from regproxy.index.migrate import connect, prepare
from regproxy.index.snapshot import Snapshot
from regproxy.store.disk import DiskStore
from regproxy.upkeep.report import Trouble
from tests.conformance.store import stored
from tests.fakes.remote import InlinePool


def test_everything_is_there_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, also of a blob that was cached a moment ago, and the names of all; then ``backup.json``."""
    index, store, target = tmp_path / "index.sqlite", DiskStore(tmp_path / "store"), tmp_path / "copies" / "today"
    name = stored(store, b"cached", durable=False)
    prepare(index, 0.0)
    connection = connect(index)
    connection.execute("INSERT INTO blobs (sha256, size, synced, last_used) VALUES (?, 6, 0, 0)", (name,))
    connection.close()
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    ended: list[Any] = []
    Deferred.fromCoroutine(Backup(index, store, InlinePool(), target, everything=True).run()).addBoth(ended.append)
    assert [(1, 6)] == [(summary.blobs, summary.bytes) for summary in ended]
    folder = f"copies/today/{backup.BLOBS}/{name[:2]}"
    *before, manifest, last = synced
    assert {f"{folder}/{name}", folder, f"copies/today/{backup.BLOBS}", "copies"} == set(before)
    assert (manifest, last) == (f"copies/today/{backup.MANIFEST}", "copies/today")


@define
class Scene:
    """A store, an index on a disk, and backups of both."""

    root: Path
    store: DiskStore = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = DiskStore(self.root / "store")
        prepare(self.index, 0.0)

    @property
    def index(self) -> Path:
        """Its file."""
        return self.root / "index.sqlite"

    def sql(self, *statements: str) -> None:
        """Change the index."""
        with closing(connect(self.index)) as connection:
            for statement in statements:
                connection.execute(statement)

    def hold(self, body: bytes, path: str, origin: str = "") -> str:
        """Store a body and name it."""
        name = stored(self.store, body)
        with closing(connect(self.index)) as connection:
            connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?, 1, 0)", (name, len(body)))
            connection.execute(
                "INSERT INTO nodes (repository, path, sha256, size, kept, validators, created, modified, checked, origin) "
                "VALUES ('r', ?, ?, ?, '', '', 0, 0, 0, ?)",
                (path, name, len(body), origin),
            )
        return name

    def rot(self, name: str) -> None:
        """Turn one byte."""
        path = Path(self.store.path(name))
        data = path.read_bytes()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])

    def save(self, target: str = "saved", *, everything: bool = False, meanwhile: Callable[[], object] | None = None) -> Any:
        """Make a backup; something happens behind its copy of the index."""
        made = Backup(self.index, self.store, InlinePool(), self.root / target, everything=everything)
        ended: list[Any] = []
        take = snapshot.take

        def taken(source: Path, copy: Path) -> None:
            take(source, copy)
            if meanwhile is not None:
                meanwhile()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(snapshot, "take", taken)
            Deferred.fromCoroutine(made.run()).addBoth(ended.append)
        return ended[0]

    def named(self, target: str = "saved") -> list[str]:
        """What the index of a backup names."""
        with closing(Snapshot.read(self.root / target / backup.INDEX)) as copy:
            return sorted(naming.node for blob in copy.blobs() for naming in copy.namings(blob.sha256))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """One."""
    return Scene(tmp_path)


def told(summary: Any) -> list[tuple[Trouble, tuple[str, ...], bool]]:
    """What was left out."""
    return [(each.trouble, each.nodes, each.local) for each in summary.findings]


def test_what_is_lost_is_told_and_keeps_its_names(scene: Scene) -> None:
    """Rotten, cut or gone: all else is saved, and nothing wrong."""
    scene.hold(b"good", "good")
    scene.rot(scene.hold(b"rotten", "rotten"))
    Path(scene.store.path(scene.hold(b"short", "short"))).write_bytes(b"shor")
    scene.store.delete(scene.hold(b"gone", "gone"))
    summary = scene.save()
    assert (1, 4) == (summary.blobs, summary.bytes)
    expected = [(Trouble.DAMAGED, ("r:rotten",), True), (Trouble.MISSING, ("r:gone",), True), (Trouble.SIZE, ("r:short",), True)]
    assert sorted(expected, key=str) == sorted(told(summary), key=str)
    assert ["r:gone", "r:good", "r:rotten", "r:short"] == scene.named()
    assert [b"good"] == [path.read_bytes() for path in (scene.root / "saved" / backup.BLOBS).rglob("*") if path.is_file()]


def test_what_is_removed_meanwhile_is_no_loss(scene: Scene) -> None:
    """It leaves the copy of the index, too."""
    scene.hold(b"good", "good")
    name = scene.hold(b"removed", "removed")

    def remove() -> None:
        scene.sql("DELETE FROM nodes WHERE path = 'removed'", f"DELETE FROM blobs WHERE sha256 = '{name}'")
        scene.store.delete(name)

    summary = scene.save(meanwhile=remove)
    assert (1, []) == (summary.blobs, told(summary))
    assert ["r:good"] == scene.named()


def test_what_is_out_of_sight_for_a_moment_is_saved(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody looks whether it is garbage, and puts it back."""
    aside: list[Any] = []
    name = scene.hold(b"body", "p")
    monkeypatch.setattr(time, "sleep", lambda _: aside.pop().restore())
    summary = scene.save(meanwhile=lambda: aside.append(scene.store.set_aside(name)))
    assert (1, []) == (summary.blobs, told(summary))


def test_what_could_be_fetched_again_is_left_out_with_its_names(scene: Scene) -> None:
    """It is told as well; of a blob that is cached and local only the local name stays."""
    scene.rot(scene.hold(b"cached", "cached", origin="https://u.example/"))
    both = scene.hold(b"both", "mine")
    scene.hold(b"both", "theirs", origin="https://u.example/")
    scene.rot(both)
    summary = scene.save(everything=True)
    expected = [(Trouble.DAMAGED, ("r:cached",), False), (Trouble.DAMAGED, ("r:mine",), True)]
    assert sorted(expected, key=str) == sorted(told(summary), key=str)
    assert ["r:mine"] == scene.named()


def test_what_rots_in_the_store_rots_there_alone(scene: Scene) -> None:
    """A local blob has bytes of its own in a backup; a cached one costs none."""
    mine, cached = scene.hold(b"mine", "mine"), scene.hold(b"cached", "cached", origin="https://u.example/")
    assert scene.save(everything=True).blobs == 2
    blobs = scene.root / "saved" / backup.BLOBS
    links = [(blobs / name[:2] / name).stat().st_nlink for name in (mine, cached)]
    assert [1, 2] == links


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("regproxy.index.snapshot.take", apsw.FullError("database or disk is full")),
        ("regproxy.backup._write", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
        ("regproxy.backup._write_durably", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
    ],
)
def test_a_full_disk(scene: Scene, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception) -> None:
    """The failure says where, and nothing is left."""

    def full(*_: object) -> None:
        raise error

    scene.hold(b"body", "p")
    monkeypatch.setattr(place, full)
    failure = scene.save().value
    assert (BackupError, True) == (type(failure), str(failure).startswith(f"{scene.root / 'saved'}: "))
    assert not (scene.root / "saved").exists()
