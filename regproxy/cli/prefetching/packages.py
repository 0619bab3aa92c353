"""What requirements need of a package index: of each project the newest files that fit, and those of what they depend on.

This is no resolver. What is asked for by name bounds what others need of it, so a file of pins brings exactly the pins; where
nothing is pinned each dependency comes in the newest version that its own demand allows.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urljoin

import msgspec
from attrs import frozen
from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from regproxy.cli.prefetching.gathering import Item
from regproxy.cli.prefetching.platforms import Platform
from regproxy.cli.prefetching.server import Got

_JSON = "application/vnd.pypi.simple.v1+json"
_PINNED = re.compile(r"={2,3}")


@frozen
class _File:
    """One file of a page."""

    version: Version
    tags: frozenset[Tag]
    entry: dict[str, Any]

    def rank(self, platform: Platform) -> int | None:
        """How well it fits, 0 best; None if it does not. An sdist fits everywhere, worse than any wheel."""
        if not self.tags:
            return len(platform.tags)
        return next((rank for rank, tag in enumerate(platform.tags) if tag in self.tags), None)


@frozen
class Packages:
    """Those of one repository.

    Attributes:
        bounds: what versions of a project may come at all, by its normalised name.
        follows: what files depend on comes too.
        sdists: source comes too where a wheel fits.
    """

    _repository: str
    _platforms: Sequence[Platform]
    _bounds: dict[str, SpecifierSet]
    _follows: bool = True
    _sdists: bool = False

    def items(self, requirement: Requirement) -> Iterable[Item]:
        """The page of a project, for each platform where a requirement holds."""
        return filter(None, (self.item(requirement, platform) for platform in self._platforms))

    def item(self, requirement: Requirement, platform: Platform, extras: Iterable[str] = ("",)) -> Item | None:
        """Likewise, for one; ``extras`` are those that are wanted of what requires it."""
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({**platform.environment, "extra": extra}) for extra in extras):
            return None
        name, own = canonicalize_name(requirement.name), frozenset(requirement.extras)
        wanted = requirement.specifier & self._bounds.get(name, SpecifierSet())
        read = _Reading(self, platform, str(requirement), wanted, own)
        key = (name, str(wanted), own, platform.name)
        return Item(f"{self.index}/simple/{quote(name)}/", str(requirement), _JSON, read.page, key=key)

    @property
    def index(self) -> str:
        """The address of the index."""
        return f"/api/pypi/{self._repository}"

    @property
    def follows(self) -> bool:
        """Whether dependencies come too."""
        return self._follows

    @property
    def sdists(self) -> bool:
        """Whether source comes too."""
        return self._sdists


@frozen
class _Reading:
    """One requirement on one platform."""

    _packages: Packages
    _platform: Platform
    _name: str
    _wanted: SpecifierSet
    _extras: frozenset[str]

    def page(self, got: Got) -> Iterable[Item]:
        """Choose of a project's page."""
        entries = msgspec.json.decode(got.body, type=dict[str, Any])["files"]
        files = [file for file in map(_read, entries) if file is not None and self._fits(file)]
        versions = {file.version for file in files}
        newest = max(self._wanted.filter(versions), default=None)
        if newest is None:
            raise ValueError(f"no file of it fits {self._name}")
        chosen, *others = sorted((file for file in files if file.version == newest), key=self._order)
        also = [file for file in others if self._packages.sdists and not file.tags]
        return [*(self._file(got.path, file) for file in (chosen, *also)), *self._described(got.path, chosen)]

    def _order(self, file: _File) -> tuple[int, str]:
        rank = file.rank(self._platform)
        assert rank is not None
        return rank, str(file.entry["filename"])

    def _fits(self, file: _File) -> bool:
        try:
            requires = SpecifierSet(file.entry.get("requires-python") or "")
        except InvalidSpecifier:
            requires = SpecifierSet()
        is_yanked = bool(file.entry.get("yanked")) and not any(_PINNED.fullmatch(each.operator) for each in self._wanted)
        return (
            not is_yanked and requires.contains(self._platform.python, prereleases=True) and file.rank(self._platform) is not None
        )

    def _file(self, page: str, file: _File) -> Item:
        path = urljoin(page, str(file.entry["url"])).partition("#")[0]
        return Item(path, str(file.entry["filename"]), size=int(file.entry.get("size") or 0))

    def _described(self, page: str, file: _File) -> Iterable[Item]:
        """What says what it depends on: the metadata beside it, or else the index's own word."""
        if not (self._packages.follows or file.entry.get("core-metadata")):
            return []
        path, name = urljoin(page, str(file.entry["url"])).partition("#")[0], str(file.entry["filename"])
        key = (path, self._extras)
        if file.entry.get("core-metadata"):
            return [Item(f"{path}.metadata", name, then=self._metadata, key=key)]
        project = page.rstrip("/").rpartition("/")[2]
        return [
            Item(f"{self._packages.index}/pypi/{project}/{file.version}/json", name, then=self._release, optional=True, key=key)
        ]

    def _metadata(self, got: Got) -> Iterable[Item]:
        return self._dependencies(parse_email(got.body)[0].get("requires_dist", []))

    def _release(self, got: Got) -> Iterable[Item]:
        return self._dependencies(msgspec.json.decode(got.body, type=dict[str, Any])["info"].get("requires_dist") or [])

    def _dependencies(self, texts: Iterable[str]) -> Iterable[Item]:
        if not self._packages.follows:
            return []
        found: list[Item | None] = []
        for text in texts:
            with contextlib.suppress(InvalidRequirement):
                requirement = Requirement(text)
                if not requirement.url:
                    found.append(self._packages.item(requirement, self._platform, ("", *self._extras)))
        return filter(None, found)


def bounds_of(requirements: Iterable[Requirement]) -> dict[str, SpecifierSet]:
    """What each project is bounded by, whoever needs it."""
    found: dict[str, SpecifierSet] = {}
    for each in requirements:
        name = canonicalize_name(each.name)
        found[name] = found.get(name, SpecifierSet()) & each.specifier
    return found


def _read(entry: dict[str, Any]) -> _File | None:
    """A file whose name follows the rules."""
    name = str(entry.get("filename", ""))
    try:
        if name.endswith(".whl"):
            _, version, _, tags = parse_wheel_filename(name)
            return _File(version, frozenset(tags), entry)
        if name.endswith((".tar.gz", ".zip")):
            return _File(parse_sdist_filename(name)[1], frozenset(), entry)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        pass
    return None
