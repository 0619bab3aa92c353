"""The names that Git would give to files, folders and commits: clients compare them with what they have. Pure.

Of an LFS file Git has a pointer, a small text; the name of the file in a tree is the pointer's.
"""

import hashlib
from collections.abc import Iterable, Mapping

from attrs import frozen

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def pointer(sha256: str, size: int) -> bytes:
    """The pointer of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def object_id(kind: str, content: bytes) -> str:
    """The name of an object; ``kind`` is blob, tree or commit."""
    running = hashlib.sha1(b"%s %d\0" % (kind.encode("ascii"), len(content)), usedforsecurity=False)
    running.update(content)
    return running.hexdigest()


def pointer_id(sha256: str, size: int) -> str:
    """The name of an LFS file in a tree."""
    return object_id("blob", pointer(sha256, size))


def folder_ids(files: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """The names of all folders of a tree, ``""`` being its root, of the paths of its files and their names."""
    inside: dict[str, dict[str, tuple[str, str]]] = {"": {}}
    for path, oid in files:
        folder, _, name = path.rpartition("/")
        _open(inside, folder)[name] = ("100644", oid)
    found: dict[str, str] = {}
    for folder in sorted(inside, key=lambda each: each.count("/") if each else -1, reverse=True):
        found[folder] = _tree_id(inside[folder])
        if folder:
            above, _, name = folder.rpartition("/")
            inside[above][name] = ("40000", found[folder])
    return found


def _open(inside: dict[str, dict[str, tuple[str, str]]], folder: str) -> dict[str, tuple[str, str]]:
    """Make sure that a folder and those above it are there."""
    at = folder
    while at not in inside:
        inside[at] = {}
        at = at.rpartition("/")[0]
    return inside[folder]


def _tree_id(children: Mapping[str, tuple[str, str]]) -> str:
    """Git sorts folders as if their names ended in a slash."""
    rows = sorted((f"{name}/" if mode == "40000" else name, mode, name, oid) for name, (mode, oid) in children.items())
    rows = sorted(rows, key=lambda row: row[0].encode())
    return object_id("tree", b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for _, mode, name, oid in rows))


@frozen
class Signature:
    """Who made a commit, and when (whole seconds since the epoch)."""

    name: str
    seconds: int

    def __str__(self) -> str:
        plain = "".join(letter for letter in self.name if letter not in "<>\n\0") or "unknown"
        return f"{plain} <{plain}@localhost> {self.seconds} +0000"


def commit_id(tree: str, parents: Iterable[str], by: Signature, message: str) -> str:
    """The name of a commit."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {by}", f"committer {by}", "", message]
    return object_id("commit", "\n".join(lines).encode() + b"\n")
