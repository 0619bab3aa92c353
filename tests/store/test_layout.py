"""Folders and names, and what of them survives a power loss."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from regproxy.store.layout import Layout, is_name, sync_folder
from tests.store.test_disk import open_below

NAMES = ("ab" + "0" * 62, "ab" + "1" * 62, "cd" + "0" * 62)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The folders that were synced, in order."""
    found: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: found.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    yield found
    assert [opened for folder in found for opened in open_below(folder.parent) if opened == str(folder)] == []


def test_folders_are_made_durably(tmp_path: Path, synced: list[Path]) -> None:
    """Each new one's name, in the one above it; nothing where they are there."""
    root = tmp_path / "new" / "root"
    layout = Layout(root)
    layout.make()
    assert synced == [tmp_path, root.parent, root, root / "blobs", root, root, root]
    folders = [root / name for name in ("blobs/sha256", "spool", "moving", "quarantine")]
    assert [str(folder) for folder in folders] == [layout.blobs, layout.spool, layout.moving, layout.quarantine]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (root.parent, root, *folders)} == {0o700}
    synced.clear()
    layout.make()
    assert synced == []


def test_two_make_the_folders_at_once(tmp_path: Path, synced: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is second syncs the name, too: nobody knows whether the first has."""
    layout = Layout(tmp_path)
    layout.make()
    synced.clear()
    there, late = Path.is_dir, [layout.spool]

    def is_dir(path: Path) -> bool:
        if str(path) in late:
            late.remove(str(path))
            return False
        return there(path)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    layout.make()
    assert synced == [tmp_path]


def test_a_name_is_made_durable(tmp_path: Path, synced: list[Path]) -> None:
    """In its folder, and once the folder's own."""
    layout = Layout(tmp_path)
    layout.make()
    for name in NAMES:
        layout.make_folder(name)
    layout.make_folder(NAMES[0])
    synced.clear()
    for name in (*NAMES, NAMES[0]):
        layout.sync_name(name)
    blobs = tmp_path / "blobs" / "sha256"
    assert synced == [blobs / "ab", blobs, blobs / "ab", blobs / "cd", blobs, blobs / "ab"]
    assert layout.blob(NAMES[2]) == str(blobs / "cd" / NAMES[2])
    assert stat.S_IMODE((blobs / "ab").stat().st_mode) == 0o700


def test_what_is_no_name(tmp_path: Path) -> None:
    """Has no folder."""
    for name in ("", "../" + "0" * 61, "0" * 63, "0" * 65, "0" * 64 + "\n", "G" * 64):
        assert not is_name(name)
        with pytest.raises(ValueError, match="name"):
            Layout(tmp_path).make_folder(name)
    assert is_name(NAMES[0])


def test_only_folders_are_synced_as_such(tmp_path: Path) -> None:
    """What is none, or is not there, is said."""
    (tmp_path / "file").touch()
    for name, error in (("file", NotADirectoryError), ("nothing", FileNotFoundError)):
        with pytest.raises(error):
            sync_folder(str(tmp_path / name))
