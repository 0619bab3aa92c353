"""The files of one commit, as a value, and as the document that is kept of it. Pure.

A file's bytes are a node below the commit that brought them: a later commit that leaves the file alone refers to the same node,
so that history costs what has changed and no more.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Self

import msgspec
from attrs import define, field, frozen

from regproxy.formats.huggingface.local.git import folder_ids, pointer_id

PATH_LIMIT = 1024
SEGMENT_LIMIT = 255


class _Row(msgspec.Struct, array_like=True, frozen=True):
    path: str
    oid: str
    size: int
    sha256: str
    is_lfs: bool
    at: str


class _Document(msgspec.Struct, frozen=True):
    files: list[_Row]


@frozen
class Entry:
    """One file.

    Attributes:
        oid: Git's name of it; of an LFS file, of its pointer.
        sha256, size: of its bytes.
        at: the commit below which the node lies.
    """

    path: str
    oid: str
    size: int
    sha256: str
    is_lfs: bool
    at: str

    @property
    def etag(self) -> str:
        """What clients know its bytes by."""
        return self.sha256 if self.is_lfs else self.oid

    def same_as(self, other: "Entry | None") -> bool:
        """Whether it is the same file, wherever the bytes lie."""
        return other is not None and self.oid == other.oid


@frozen
class Folder:
    """One folder; its size is nothing."""

    path: str
    oid: str


@define(eq=False)
class Snapshot:
    """All files of a commit, by path. It does not change."""

    files: Mapping[str, Entry] = field(factory=dict)

    @classmethod
    def of(cls, document: bytes) -> Self:
        """Read the document; ``ValueError`` for what is none."""
        rows = msgspec.json.decode(document, type=_Document).files
        return cls({row.path: Entry(row.path, row.oid, row.size, row.sha256, row.is_lfs, row.at) for row in rows})

    def to_json(self) -> bytes:
        """Write the document."""
        rows = [_Row(each.path, each.oid, each.size, each.sha256, each.is_lfs, each.at) for each in self]
        return msgspec.json.encode(_Document(rows))

    def __iter__(self) -> Iterator[Entry]:
        return (self.files[path] for path in self.paths)

    @cached_property
    def paths(self) -> Sequence[str]:
        """Of its files, sorted."""
        return sorted(self.files)

    @cached_property
    def folders(self) -> Mapping[str, str]:
        """Git's names of its folders; that of ``""`` is the name of the whole."""
        return folder_ids((path, entry.oid) for path, entry in self.files.items())

    @cached_property
    def everything(self) -> Sequence[str]:
        """The paths of its files and folders, sorted."""
        return sorted({*self.files, *self.folders} - {""})

    def below(self, folder: str) -> Sequence[str]:
        """The paths of files below a folder, sorted."""
        return _below(self.paths, folder)

    def inside(self, folder: str, *, recursive: bool) -> Sequence[str] | None:
        """The paths of files and folders in a folder, sorted; None if there is no such folder."""
        if folder not in self.folders:
            return None
        start = len(folder) + 1 if folder else 0
        found = _below(self.everything, folder)
        return found if recursive else [path for path in found if "/" not in path[start:]]

    def find(self, path: str) -> Entry | Folder | None:
        """What is at a path."""
        if path in self.files:
            return self.files[path]
        return Folder(path, self.folders[path]) if path and path in self.folders else None


def _below(paths: Sequence[str], folder: str) -> Sequence[str]:
    """Of sorted paths, those below a folder: a slash is followed by 0."""
    return paths[bisect_left(paths, f"{folder}/") : bisect_left(paths, f"{folder}0")] if folder else paths


def lfs_entry(path: str, sha256: str, size: int) -> Entry:
    """An LFS file whose node is still to be put."""
    return Entry(path, pointer_id(sha256, size), size, sha256, is_lfs=True, at="")


def why_no_path(path: str) -> str | None:
    """Why a file cannot be called so; None if it can."""
    if not path or len(path.encode(errors="replace")) > PATH_LIMIT:
        return "it is empty or too long"
    if any(ord(letter) < 32 or 126 < ord(letter) < 160 or 0xD800 <= ord(letter) < 0xE000 or letter == "\\" for letter in path):  # noqa: PLR2004 - control characters, surrogates
        return "it has a control character or a backslash in it"
    segments = path.split("/")
    if any(segment in ("", ".", "..") or segment.lower() == ".git" for segment in segments):
        return "a segment of it is no name"
    if any(len(segment.encode()) > SEGMENT_LIMIT for segment in segments):
        return "a segment of it is too long"
    return None
