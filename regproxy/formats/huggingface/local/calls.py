"""Read an address by which a repository of the hub is changed, or something is uploaded for that: what the other addresses
(``address.py``) leave over. Pure.
"""

import re
from collections.abc import Sequence

from attrs import frozen

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import AddressError, Id, Type, parse_id, parse_revision, unknown

_TYPES = {each.value: each for each in Type}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,11}")


@frozen
class Repos:
    """Something with repositories as such: create, delete, move; the body says which."""

    verb: str


@frozen
class Preupload:
    """How are these files to be sent."""

    repo: Id
    revision: str


@frozen
class NewCommit:
    """Change files of a branch."""

    repo: Id
    revision: str


@frozen
class Branch:
    """One branch."""

    repo: Id
    name: str


@frozen
class Tag:
    """One tag, or of a new one the revision."""

    repo: Id
    name: str


@frozen
class Squash:
    """Forget the history of a branch."""

    repo: Id
    branch: str


@frozen
class MayWrite:
    """May I write."""

    repo: Id


@frozen
class Batch:
    """Where are these LFS objects to be sent."""

    repo: Id


@frozen
class Object:
    """An LFS object."""

    repo: Id
    oid: str


@frozen
class Verify:
    """Is this object there."""

    repo: Id


@frozen
class Pieces:
    """An LFS object in parts of a size; ``number`` is that of a part, from 1 on, or 0 for the end of it all."""

    repo: Id
    oid: str
    session: str
    size: int
    number: int = 0


Call = Repos | Preupload | NewCommit | Branch | Tag | Squash | MayWrite | Batch | Object | Verify | Pieces

_OF_REVISIONS: dict[str, type[Preupload | NewCommit | Branch | Tag | Squash]] = {
    "preupload": Preupload,
    "commit": NewCommit,
    "branch": Branch,
    "tag": Tag,
    "super-squash": Squash,
}


def parse_call(segments: Sequence[str]) -> Call:
    """Read what stands behind the endpoint; ``AddressError`` for what names nothing."""
    match list(segments):
        case ["api", "repos", "create" | "delete" | "move" as verb]:
            return Repos(verb)
        case ["api", word, *rest] if word in _TYPES:
            return _parse_verb(_TYPES[word], rest)
        case ["datasets" | "spaces" as word, *rest]:
            return _parse_lfs(_TYPES[word], rest)
        case [first, *rest] if first != "api":
            return _parse_lfs(Type.MODELS, [first, *rest])
    raise unknown()


def parse_folder(segments: Sequence[str]) -> Id | None:
    """The repository whose folder a plain path names, to be deleted; None for another address.

    ``AddressError`` for what lies in one: a file is that of all commits behind the one that brought it.
    """
    match list(segments):
        case [word, namespace, name] | [word, namespace, name, ""] if word in _TYPES:
            return parse_id(_TYPES[word], [namespace, name])
        case [word, _, _, *_] if word in _TYPES:
            text = "of a repository only the whole is deleted by its path: files are deleted by a commit, branches by their names"
            raise AddressError(Kind.METHOD_NOT_ALLOWED, "MethodNotAllowed", text)
    return None


def _parse_verb(kind: Type, segments: Sequence[str]) -> Call:
    at = next((at for at in (1, 2) if len(segments) > at and segments[at] in (*_OF_REVISIONS, "auth-check")), None)
    match segments[at:] if at else []:
        case ["auth-check", "write"]:
            return MayWrite(parse_id(kind, segments[:at]))
        case [verb, revision] if verb in _OF_REVISIONS:
            return _OF_REVISIONS[verb](parse_id(kind, segments[:at]), parse_revision(revision))
    raise unknown()


def _parse_lfs(kind: Type, segments: Sequence[str]) -> Call:
    at = next((at for at, segment in enumerate(segments[:2]) if segment.endswith(".git")), None)
    if at is None or list(segments[at + 1 : at + 4]) != ["info", "lfs", "objects"]:
        raise unknown()
    repo = parse_id(kind, [*segments[:at], segments[at].removesuffix(".git")])
    match segments[at + 4 :]:
        case ["batch"]:
            return Batch(repo)
        case ["verify"]:
            return Verify(repo)
        case [oid, *rest] if _SHA256.fullmatch(oid):
            return _parse_object(repo, oid, rest)
    raise unknown()


def _parse_object(repo: Id, oid: str, segments: Sequence[str]) -> Call:
    match segments:
        case []:
            return Object(repo, oid)
        case ["parts", session, *numbers] if 1 <= len(numbers) <= 2 and all(map(_NUMBER.fullmatch, numbers)):  # noqa: PLR2004 - a size, and a number
            return Pieces(repo, oid, session, *map(int, numbers))
    raise unknown()


def repo_of(kind: str, organization: str | None, name: str, own: str) -> Id:
    """What the body of a call about repositories names; without an organization it is the caller's ``own``."""
    found = _TYPES.get(f"{kind or 'model'}s")
    if found is None:
        raise AddressError(Kind.INVALID, "BadRequest", "type is model, dataset or space")
    namespace, slash, rest = name.partition("/")
    return parse_id(found, [namespace, rest] if slash else [organization or own, name])
