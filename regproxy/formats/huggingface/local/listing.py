"""What the hub's API says of repositories, commits and files, as JSON that is built here. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from attrs import frozen

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import AddressError, Id, Type
from regproxy.formats.huggingface.local.git import pointer
from regproxy.formats.huggingface.local.history import Commit, iso
from regproxy.formats.huggingface.local.snapshot import Entry, Folder, Snapshot
from regproxy.formats.huggingface.names import canonical

PAGE, EXPANDED_PAGE, MOST = 1000, 50, 1000


@frozen
class Page:
    """Which part of a list is asked for."""

    query: Mapping[str, str]
    limit: int
    after: str

    @classmethod
    def of(cls, query: str, usual: int, most: int = MOST) -> "Page":
        """Read a query; ``AddressError`` for one that makes no sense."""
        found = dict(parse_qsl(canonical(query), keep_blank_values=True))
        limit = found.get("limit", "")
        if limit and not (limit.isascii() and limit.isdigit() and int(limit)):
            raise AddressError(Kind.INVALID, "BadRequest", "limit is a number")
        return cls(found, min(int(limit[:9]) if limit else usual, most), found.get("cursor", ""))

    def is_said(self, name: str) -> bool:
        """Whether something is asked for."""
        return self.query.get(name, "").lower() == "true"

    def cut(self, names: Sequence[str]) -> tuple[Sequence[str], str | None]:
        """The part of a sorted list, and the query of the next one."""
        start = bisect_right(names, self.after) if self.after else 0
        part = names[start : start + self.limit]
        if start + self.limit >= len(names) or not part:
            return part, None
        return part, urlencode({**self.query, "cursor": part[-1]})


def whoami_json(name: str, *, may_write: bool) -> dict[str, Any]:
    """Who asks; logging in wants to know of his token whether it may write."""
    role = "write" if may_write else "read"
    auth = {"type": "access_token", "accessToken": {"displayName": name, "role": role}}
    return {"type": "user", "id": name, "name": name, "fullname": name, "isPro": False, "orgs": [], "auth": auth}


def lfs_json(entry: Entry) -> dict[str, Any]:
    """Of an LFS file, what a tree says of its object."""
    return {"oid": entry.sha256, "size": entry.size, "pointerSize": len(pointer(entry.sha256, entry.size))}


def entry_json(entry: Entry | Folder, xet_from: int) -> dict[str, Any]:
    """One file or folder of a tree; files of more than ``xet_from`` bytes are to be fetched by Xet, by their SHA-256."""
    if isinstance(entry, Folder):
        return {"type": "directory", "oid": entry.oid, "size": 0, "path": entry.path}
    found: dict[str, Any] = {"type": "file", "oid": entry.oid, "size": entry.size, "path": entry.path}
    if entry.is_lfs:
        found["lfs"] = lfs_json(entry)
        if entry.size > xet_from:
            found["xetHash"] = entry.sha256
    return found


def last_json(commit: str, about: Commit) -> dict[str, Any]:
    """The commit that has changed a file last."""
    return {"id": commit, "title": about.title, "date": about.date}


def commit_json(commit: str, about: Commit) -> dict[str, Any]:
    """One commit of a history."""
    authors = [{"user": about.user}]
    return {"id": commit, "title": about.title, "message": about.message, "date": about.date, "authors": authors}


@frozen
class About:
    """What is known of a repository at a revision."""

    repo: Id
    commit: str
    created: float
    last: Commit | None


def info_json(about: About, snapshot: Snapshot | None, *, blobs: bool = False) -> dict[str, Any]:
    """A repository; without a snapshot, as it stands in a list of many."""
    repo = about.repo
    modified = about.last.date if about.last is not None else iso(about.created)
    found: dict[str, Any] = {
        "_id": about.commit[:24],
        "id": str(repo),
        "author": repo.namespace or None,
        "sha": about.commit,
        "lastModified": modified,
        "createdAt": iso(about.created),
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
    }
    if repo.type is Type.MODELS:
        found["modelId"] = str(repo)
    if snapshot is not None:
        found["siblings"] = [_sibling(entry, blobs=blobs) for entry in snapshot]
        found["usedStorage"] = sum(entry.size for entry in snapshot)
    return found


def _sibling(entry: Entry, *, blobs: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"rfilename": entry.path}
    if blobs:
        found |= {"size": entry.size, "blobId": entry.oid}
        if entry.is_lfs:
            found["lfs"] = {"sha256": entry.sha256, **{name: lfs_json(entry)[name] for name in ("size", "pointerSize")}}
    return found
