"""Files of a commit: what lies where, and what a commit makes of them."""

from collections.abc import Sequence

import pytest

from regproxy.formats.huggingface.address import AddressError
from regproxy.formats.huggingface.local.applying import Applicable, apply, placed
from regproxy.formats.huggingface.local.operations import CopyFile, DeleteFile, DeleteFolder
from regproxy.formats.huggingface.local.snapshot import Entry, Folder, Snapshot, lfs_entry, why_no_path

BEFORE, NOW = "b" * 40, "c" * 40


def entry(path: str, content: str = "1", at: str = BEFORE) -> Entry:
    """A regular file."""
    return Entry(path, content * 40, 7, content * 64, is_lfs=False, at=at)


def snapshot(*paths: str) -> Snapshot:
    """Files of one content."""
    return Snapshot({path: entry(path) for path in paths})


def changed(before: Snapshot, *operations: Applicable) -> tuple[list[str], list[str], list[str]]:
    """All paths, those that are new, and those that have lost something."""
    applied = apply(before, operations, {"old": snapshot("o")})
    return sorted(applied.files), sorted(applied.added), sorted(applied.lost)


def test_listing() -> None:
    """A folder, with or without what is below; names that sort around a slash do not confuse it."""
    files = snapshot("a-b", "a/b/c", "a/d", "a.b", "a0")
    assert files.inside("", recursive=False) == ["a", "a-b", "a.b", "a0"]
    assert files.inside("", recursive=True) == ["a", "a-b", "a.b", "a/b", "a/b/c", "a/d", "a0"]
    assert files.inside("a", recursive=False) == ["a/b", "a/d"]
    assert list(files.below("a")) == ["a/b/c", "a/d"]
    assert files.inside("none", recursive=True) is None
    assert files.inside("a/d", recursive=True) is None
    assert isinstance(files.find("a/b"), Folder)
    assert files.find("a/d") == entry("a/d")
    assert [files.find(path) for path in ("", "x")] == [None, None]


def test_document() -> None:
    """What is kept is read again; nonsense is not."""
    files = Snapshot({"a": entry("a"), "b": lfs_entry("b", "2" * 64, 9)})
    assert Snapshot.of(files.to_json()).files == files.files
    assert files.files["b"].etag == "2" * 64
    with pytest.raises(ValueError, match="Expected"):
        Snapshot.of(b'{"files": [1]}')


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([entry("d", "2", "")], (["a/b", "a/c", "d"], ["d"], ["d"])),
        ([entry("d", "1", "")], (["a/b", "a/c", "d"], [], [])),
        ([entry("e", "2", "")], (["a/b", "a/c", "d", "e"], ["e"], [])),
        ([DeleteFile("d")], (["a/b", "a/c"], [], ["d"])),
        ([DeleteFolder("a"), entry("a", "2", "")], (["a", "d"], ["a"], ["a/b", "a/c"])),
        ([DeleteFolder("a"), entry("a/b", "1", "")], (["a/b", "d"], [], ["a/c"])),
        ([CopyFile("x", "d"), CopyFile("y", "o", "old")], (["a/b", "a/c", "d", "x", "y"], ["x", "y"], [])),
    ],
)
def test_applying(operations: Sequence[Applicable], expected: tuple[list[str], list[str], list[str]]) -> None:
    """Files that are the same stay where they are; only what is lost needs a right to delete."""
    assert changed(snapshot("a/b", "a/c", "d"), *operations) == expected


@pytest.mark.parametrize(
    "operation",
    [DeleteFile("x"), DeleteFolder("x"), DeleteFolder("d"), CopyFile("y", "x"), entry("d/e", "2", ""), entry("a", "2", "")],
)
def test_what_cannot_be(operation: Applicable) -> None:
    """Nothing is deleted or copied that is not there, and nothing is a file and a folder."""
    with pytest.raises(AddressError):
        changed(snapshot("a/b", "d"), operation)


def test_placing() -> None:
    """New files lie below the new commit, the others where they were."""
    applied = apply(snapshot("a", "b"), [entry("b", "2", "")], {})
    assert {path: each.at for path, each in placed(applied, NOW).files.items()} == {"a": BEFORE, "b": NOW}


LONG = ("x" * 256, "a/" * 600 + "b")


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", ".", "a/../b", "a\\b", "a\nb", ".git/config", *LONG, "\ud800"])
def test_bad_paths(path: str) -> None:
    """No file is called so."""
    assert why_no_path(path) is not None


@pytest.mark.parametrize("path", ["a", "a b/ä.txt", ".gitattributes", "...", "a/.b"])
def test_good_paths(path: str) -> None:
    """These are."""
    assert why_no_path(path) is None
