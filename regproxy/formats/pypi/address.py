"""Addresses below a repository: ``request.rest`` → what is wanted. Pure.

    simple/                                    the list of projects
    simple/{name}/                             a project's page; other spellings and a missing slash are moved there
    packages/{name}/{version}/{sha256}/{file}  a file as pages advertise it, ``.metadata``, ``.asc``, ``.provenance`` beside it
    pypi/{name}/json, pypi/{name}/{version}/json
    {name}/{version}/{file}, .pypi/…           nodes by their paths

A file's address has its SHA-256 (``-`` where the index does not say one): lock files keep addresses for ever, and a file
that upstream replaces is another file. Nothing in it says where upstream keeps the file. Only the project's index document
does, so no address that a client makes up can send us anywhere.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

from attrs import frozen
from packaging.version import InvalidVersion, Version

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.names import (
    DOCUMENTS,
    PROJECTS_PATH,
    Part,
    file_path,
    is_file,
    normalise,
    page_path,
    release_path,
    split_part,
    version_of,
)
from regproxy.model.digest import Digest

UNKNOWN = "-"
# Addresses that were read lately.
REMEMBERED = 4096

_SHA256 = re.compile(r"[0-9a-f]{64}")


@frozen
class Projects:
    """The list of all projects."""

    @property
    def path(self) -> str:
        """Of its node."""
        return PROJECTS_PATH


@frozen
class Page:
    """The index of one project."""

    name: str

    @property
    def path(self) -> str:
        """Of its node."""
        return page_path(self.name)


@frozen
class Release:
    """The JSON API: a project, or one version."""

    name: str
    version: str

    @property
    def path(self) -> str:
        """Of its node."""
        return release_path(self.name, self.version)


@frozen(cache_hash=True)
class File:
    """A file, or what lies beside it; ``digest`` is what the address says of the file."""

    name: str
    file: str
    part: Part
    digest: Digest | None = None

    @property
    def path(self) -> str:
        """Of its node."""
        return file_path(self.name, self.file, self.part)


@frozen
class Stored:
    """A document as upstream sent it."""

    path: str


@frozen
class Moved:
    """The same thing has another address; ``location`` is relative to the one that was asked for."""

    location: str


Document = Projects | Page | Release | Stored
Address = Document | File | Moved


def parse_address(rest: Sequence[str]) -> Address:
    """Read the segments behind the repository's own address; ``RegproxyError`` (NOT_FOUND) for what is none of ours."""
    found = _parse(tuple(rest))
    if found is None:
        raise RegproxyError(Kind.NOT_FOUND, "no such address in a Python package index")
    return found


def advertise(name: str, file: str, digest: Digest | None, part: Part = Part.FILE) -> str:
    """The address of a file below its repository, as a page has it."""
    said = digest.hex if digest is not None and digest.algorithm == "sha256" else UNKNOWN
    return f"packages/{name}/{quote(version_of(name, file), safe='!')}/{said}/{quote(file + part.value, safe='!')}"


@lru_cache(maxsize=REMEMBERED)
def _parse(rest: tuple[str, ...]) -> Address | None:
    found: Address | None = None
    match rest:
        case ("",) | ("simple",):
            found = Moved("simple/")
        case ("simple", ""):
            found = Projects()
        case ("simple", name) | ("simple", name, ""):
            found = _page(name, slash=rest[-1] == "")
        case ("packages", name, version, said, file) if said == UNKNOWN or _SHA256.fullmatch(said):
            found = _file(name, version, file, None if said == UNKNOWN else Digest("sha256", said))
        case ("pypi", name, "json") | ("pypi", name, _, "json"):
            found = _release(name, rest[2:-1])
        case (first, *_) if first == DOCUMENTS:
            found = _stored(rest)
        case (name, version, file):
            found = _file(name, version, file, None)
    return found


def _page(text: str, *, slash: bool) -> Address | None:
    name = normalise(text)
    if name is None or (name == text and slash):
        return Page(name) if name else None
    return Moved(f"../{name}/" if slash else f"{name}/")


def _file(name: str, version: str, text: str, digest: Digest | None) -> File | None:
    file, part = split_part(text)
    good = normalise(name) == name and is_file(file) and version_of(name, file) == version
    return File(name, file, part, digest) if good else None


def _release(text: str, versions: tuple[str, ...]) -> Release | None:
    name = normalise(text)
    try:
        return Release(name, str(Version(versions[0])) if versions else "") if name else None
    except InvalidVersion:
        return None


def _stored(rest: tuple[str, ...]) -> Stored | None:
    path = "/".join(rest)
    match rest[1:]:
        case (last,):
            stem = last.removesuffix(".json")
            known = path == PROJECTS_PATH or (normalise(stem) == stem and path == page_path(stem))
        case ("api", last):
            stem = last.removesuffix(".json")
            known = normalise(stem) == stem and path == release_path(stem, "")
        case ("api", name, last):
            version = last.removesuffix(".json")
            release = _release(name, (version,))
            known = release is not None and release.path == path
        case _:
            known = False
    return Stored(path) if known else None
