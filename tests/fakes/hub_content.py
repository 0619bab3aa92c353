"""What a fake hub holds: repositories, their commits and files, and the JSON that the hub's API says of them."""

import hashlib
from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

LFS_FROM = 1 << 20
XET_HASH = "ee" * 32


@frozen
class HubFile:
    """A file of a commit; large ones are LFS files."""

    path: str
    data: bytes

    @property
    def is_lfs(self) -> bool:
        """Whether Git has only a pointer."""
        return len(self.data) >= LFS_FROM

    @property
    def sha256(self) -> str:
        """Of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        """Of the Git blob: the pointer's, for an LFS file."""
        return git_sha1(self.pointer if self.is_lfs else self.data)

    @property
    def pointer(self) -> bytes:
        """The pointer of an LFS file."""
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.data)}\n"
        return text.encode()

    @property
    def content_id(self) -> str:
        """What the hub's headers name it by."""
        return self.sha256 if self.is_lfs else self.oid

    def entry(self) -> dict[str, Any]:
        """As a tree lists it."""
        found: dict[str, Any] = {"type": "file", "oid": self.oid, "size": len(self.data), "path": self.path}
        if self.is_lfs:
            found["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": len(self.pointer)}
            found["xetHash"] = XET_HASH
        return found


@define
class HubRepo:
    """One repository of a hub: ``refs`` are branches, and lead to commits."""

    type: str
    id: str
    gated: bool = False
    refs: dict[str, str] = field(factory=dict)
    commits: dict[str, dict[str, HubFile]] = field(factory=dict)

    def commit(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Make a commit of these files, and lead a branch there; its id."""
        described = "".join(f"{path}\0{hashlib.sha256(data).hexdigest()}\n" for path, data in sorted(files.items()))
        sha = hashlib.sha1(f"{self.type}/{self.id}/{branch}\n{described}".encode()).hexdigest()
        self.commits[sha] = {path: HubFile(path, data) for path, data in files.items()}
        self.refs[branch] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """The commit that a revision means."""
        return revision if revision in self.commits else self.refs.get(revision)

    def info(self, sha: str) -> dict[str, Any]:
        """What ``model_info`` reads."""
        siblings = [{"rfilename": path} for path in sorted(self.commits[sha])]
        dates = {"lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z"}
        return {
            "_id": "1",
            "id": self.id,
            "sha": sha,
            "private": False,
            "gated": "manual" if self.gated else False,
            "disabled": False,
            "downloads": 7,
            "likes": 1,
            "tags": [],
            "xetEnabled": True,
            "siblings": siblings,
            **dates,
        }

    def tree(self, sha: str, folder: str, *, recursive: bool) -> list[dict[str, Any]] | None:
        """What lies in a folder; None if there is none."""
        start = f"{folder}/" if folder else ""
        below = {path: file for path, file in self.commits[sha].items() if path.startswith(start)}
        if folder and not below:
            return None
        found: dict[str, dict[str, Any]] = {}
        for path, file in sorted(below.items()):
            parts = path[len(start) :].split("/")
            depths = range(1, len(parts)) if recursive else range(1, min(2, len(parts)))
            for depth in depths:
                name = start + "/".join(parts[:depth])
                found[name] = {"type": "directory", "oid": git_sha1(name.encode()), "size": 0, "path": name}
            if recursive or len(parts) == 1:
                found[path] = file.entry()
        return list(found.values())

    def branches(self) -> dict[str, Any]:
        """What ``list_repo_refs`` reads."""
        found = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha} for name, sha in self.refs.items()]
        return {"branches": found, "tags": [], "converts": []}


def git_sha1(data: bytes) -> str:
    """The id of a Git blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
