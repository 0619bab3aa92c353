"""Read an address of the hub's API: segments behind the endpoint → what is asked for. Pure.

A repository id has one segment (``gpt2``) or two (``org/name``), so the verb is looked for behind them: the leftmost one counts.
Models have no prefix in the addresses of files; datasets and spaces have. A revision is one segment, in which a branch's slashes
are encoded; a folder of a tree is one segment with encoded slashes, or several.
"""

import re
from collections.abc import Sequence
from enum import Enum

from attrs import frozen

from regproxy.errors import Kind, RegproxyError

NAME_LIMIT = 96
REVISION_LIMIT = 255
NO_NAMESPACE = "_"
"""Stands for the namespace of a one-segment id in paths of nodes; no namespace is called so."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class AddressError(RegproxyError):
    """An address that names nothing; ``code`` is the hub's word for why."""

    def __init__(self, kind: Kind, code: str, text: str) -> None:
        super().__init__(kind, text)
        self.code = code


class Type(Enum):
    """What a repository of the hub holds; the value is its word in addresses."""

    MODELS = "models"
    DATASETS = "datasets"
    SPACES = "spaces"


@frozen
class Id:
    """A repository of the hub: ``namespace`` is empty for ids of one segment."""

    type: Type
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@frozen
class File:
    """A file of a revision."""

    repo: Id
    revision: str
    path: str


@frozen
class Tree:
    """What lies in a folder of a revision; the root is empty."""

    repo: Id
    revision: str
    folder: str = ""


@frozen
class PathsInfo:
    """What is known of some paths of a revision, which the body of a POST names."""

    repo: Id
    revision: str


@frozen
class Info:
    """What is known of a repository, at a revision or, without one, at its default branch."""

    repo: Id
    revision: str = ""


@frozen
class Refs:
    """Its branches and tags."""

    repo: Id


@frozen
class Commits:
    """Its history."""

    repo: Id
    revision: str


@frozen
class Listing:
    """The repositories of one type, searched and filtered."""

    type: Type


@frozen
class AuthCheck:
    """May I read it."""

    repo: Id


class Fixed(Enum):
    """What is answered here, whatever is behind it."""

    WHO_AM_I = "whoami-v2"
    VALIDATE_YAML = "validate-yaml"


Address = File | Tree | PathsInfo | Info | Refs | Commits | Listing | AuthCheck | Fixed

_TYPES = {each.value: each for each in Type}
_FIXED = {each.value: each for each in Fixed}
_OF_REVISIONS: dict[str, type[Info | Commits | PathsInfo]] = {"revision": Info, "commits": Commits, "paths-info": PathsInfo}
_VERBS = frozenset({"tree", "paths-info", "revision", "refs", "commits", "auth-check", "xet-read-token", "xet-write-token"})


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit id, which never means anything else."""
    return bool(_COMMIT.fullmatch(revision))


def parse_address(segments: Sequence[str]) -> Address:
    """Read what stands behind the endpoint; ``AddressError`` for what names nothing."""
    match list(segments):
        case ["api", word] if word in _FIXED:
            return _FIXED[word]
        case ["api", word] if word in _TYPES:
            return Listing(_TYPES[word])
        case ["api", word, *rest] if word in _TYPES:
            return _parse_call(_TYPES[word], rest)
        case ["models" | "datasets" | "spaces" as word, namespace, name, commit, *path] if path and is_commit(commit):
            return File(_node_id(_TYPES[word], namespace, name), commit, _parse_path(path))
        case ["datasets" | "spaces" as word, *rest]:
            return _parse_file(_TYPES[word], rest)
        case [first, *rest] if first != "api":
            return _parse_file(Type.MODELS, [first, *rest])
    raise unknown()


def unknown() -> AddressError:
    """The error of an address that this API does not have."""
    return AddressError(Kind.NOT_FOUND, "NotFound", "the hub's API has no such address here")


def _parse_file(kind: Type, segments: Sequence[str]) -> File:
    for at in (1, 2):
        if len(segments) > at + 2 and segments[at] == "resolve":
            return File(parse_id(kind, segments[:at]), parse_revision(segments[at + 1]), _parse_path(segments[at + 2 :]))
    raise unknown()


def _parse_call(kind: Type, segments: Sequence[str]) -> Address:
    at = next((at for at in (1, 2) if len(segments) > at and segments[at] in _VERBS), None)
    if at is None:
        return Info(parse_id(kind, segments))
    repo = parse_id(kind, segments[:at])
    match segments[at:]:
        case ["revision" | "commits" | "paths-info" as verb, revision]:
            return _OF_REVISIONS[verb](repo, parse_revision(revision))
        case ["tree", revision, *folder]:
            return Tree(repo, parse_revision(revision), _parse_path(folder))
        case ["refs"]:
            return Refs(repo)
        case ["auth-check"]:
            return AuthCheck(repo)
        case ["xet-write-token", *_] | ["auth-check", "write"]:
            raise AddressError(Kind.DENIED, "ReadOnly", "a remote repository is read only")
        case ["xet-read-token", *_]:
            raise AddressError(Kind.NOT_FOUND, "NotFound", "files are served by plain HTTP here, not by Xet")
    raise unknown()


def parse_id(kind: Type, segments: Sequence[str]) -> Id:
    """Read an id of one or two segments."""
    match list(segments):
        case [name]:
            namespace = ""
        case [namespace, name] if namespace != NO_NAMESPACE:
            _check_name(namespace)
        case _:
            raise unknown()
    _check_name(name)
    return Id(kind, namespace, name)


def _node_id(kind: Type, namespace: str, name: str) -> Id:
    return parse_id(kind, [name] if namespace == NO_NAMESPACE else [namespace, name])


def _check_name(name: str) -> None:
    """Refuse what the hub refuses (its clients do so too)."""
    wrong = "--" in name or ".." in name or name.endswith(".git") or len(name) > NAME_LIMIT
    if wrong or not _NAME.fullmatch(name):
        raise AddressError(Kind.NOT_FOUND, "RepoNotFound", f"no repository can have this name: {name[:80]!a}")


def parse_revision(text: str) -> str:
    """Read a revision, whatever it is."""
    if not text or len(text) > REVISION_LIMIT:
        raise AddressError(Kind.NOT_FOUND, "RevisionNotFound", f"Invalid rev id: {text[:80]!a}")
    return text


def _parse_path(segments: Sequence[str]) -> str:
    """Slashes may be encoded or not: it is the same file. No segments are the root."""
    if not all(segments):
        raise AddressError(Kind.NOT_FOUND, "EntryNotFound", "a path with an empty segment names no file")
    return "/".join(segments)
