"""Pages of one project laid over one another, and lists of projects. Pure.

Of files with one name the first one's is shown, whatever the others say: its hash, its yank, its metadata. A merged page
says no more than each of its parts does: without versions in all of them it has none, and its API is the lowest of theirs.
"""

from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve, frozen
from packaging.version import InvalidVersion, Version

from regproxy.formats.pypi.names import normalise
from regproxy.formats.pypi.pages.project import NO_HASHES, NOTHING, File, Project

_OLDEST = (1, 0)


@frozen
class _Files:
    """Walked through anew each time, as those of the parts are: a large page is never there as objects."""

    parts: Sequence[Project]

    def __iter__(self) -> Iterator[File]:
        seen: set[str] = set()
        for part in self.parts:
            for file in part.files:
                if file.filename not in seen:
                    seen.add(file.filename)
                    yield file


def merge(parts: Sequence[Project]) -> Project:
    """What several have of a project, in the order of their say."""
    first, *others = parts
    if not others:
        return first
    extra = {key: value for part in reversed(parts) for key, value in part.extra.items()}
    return evolve(
        first,
        name=next((part.name for part in parts if part.name), ""),
        files=_Files(parts),
        meta={"api-version": ".".join(map(str, min(_api(part) for part in parts)))},
        versions=_versions(parts),
        status=next((part.status for part in parts if part.status), NO_HASHES),
        extra=extra or NOTHING,
        from_json=all(part.from_json for part in parts),
    )


def _api(part: Project) -> tuple[int, ...]:
    try:
        major, minor = str(part.meta.get("api-version", "1.0")).split(".")
        return int(major), int(minor)
    except ValueError:
        return _OLDEST


def _versions(parts: Sequence[Project]) -> tuple[str, ...] | None:
    listed = [part.versions for part in parts if part.versions is not None]
    if len(listed) < len(parts):
        return None
    return tuple(sorted({version for versions in listed for version in versions}, key=_in_order))


def _in_order(text: str) -> tuple[Version, str]:
    """Versions of before the rules come first."""
    try:
        return Version(text), text
    except InvalidVersion:
        return Version("0.dev0"), text


def add_names(found: list[str], seen: set[str], names: Iterable[str]) -> None:
    """Add the names of projects that are not there yet; ``seen`` are those that are, normalised."""
    for name in names:
        known = normalise(name)
        if known is not None and known not in seen:
            seen.add(known)
            found.append(name)
