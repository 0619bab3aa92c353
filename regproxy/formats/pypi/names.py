"""Names of projects and files, and the paths of their nodes. Pure.

A project is known by its normalised name only: access, cache and upstream see the same spelling. A file's version is read from
its name by the rules of ``packaging``, so one file has one path: ``{name}/{version}/{file}``. Documents lie below ``.pypi``,
which is no project's name. What an index calls a file is the text of strangers: a name that could not be one segment of a
path is no file's name.
"""

import re
from enum import Enum
from functools import lru_cache

from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from regproxy.model.patterns import Patterns

NAME_LIMIT = 128
FILE_LIMIT = 240
NO_VERSION = "-"

DOCUMENTS = ".pypi"
PROJECTS_PATH = f"{DOCUMENTS}/.projects.json"

ARCHIVES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tar.Z", ".tgz", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg")
SUFFIXES = (".whl", *ARCHIVES)

_FILE_DEPTH = 2
"""Folders between that of a project and a file's name."""

_NO_SEGMENT = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]")
_BUILT_FOR = re.compile(r"-py[0-9.]+$|\.(?:win|linux|macosx)[^-]*$")


class Part(Enum):
    """What is wanted of a file: its bytes, or what lies beside them."""

    FILE = ""
    METADATA = ".metadata"
    SIGNATURE = ".asc"
    PROVENANCE = ".provenance"


def normalise(text: str) -> str | None:
    """The normalised name of a project; None for what cannot be one."""
    if len(text) > NAME_LIMIT:
        return None
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName:
        return None


def is_file(text: str) -> bool:
    """Whether a file may have this name: one visible segment of a path that cannot be taken for what lies beside a file."""
    return (
        0 < len(text.encode("utf-8", "surrogatepass")) <= FILE_LIMIT
        and text[0] != "."
        and not _NO_SEGMENT.search(text)
        and not any("\ud800" <= letter <= "\udfff" for letter in text)
        and split_part(text)[1] is Part.FILE
    )


def split_part(text: str) -> tuple[str, Part]:
    """The file's name and what is wanted of it."""
    for part in (Part.METADATA, Part.SIGNATURE, Part.PROVENANCE):
        if text.endswith(part.value) and len(text) > len(part.value):
            return text.removesuffix(part.value), part
    return text, Part.FILE


@lru_cache(maxsize=4096)
def version_of(name: str, file: str) -> str:
    """The version that a file of a project says it is; ``-`` if its name does not follow any rule."""
    try:
        if file.endswith(".whl"):
            return str(parse_wheel_filename(file)[1])
        if file.endswith((".tar.gz", ".zip")):
            found, version = parse_sdist_filename(file)
            if found == name:
                return str(version)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        pass
    return _old_version(name, file)


def _old_version(name: str, file: str) -> str:
    """Names from before the rules: the project, a dash, the version, perhaps a platform, an ending."""
    stem = next((file.removesuffix(ending) for ending in SUFFIXES if file.endswith(ending)), file)
    for dash in re.finditer("-", stem):
        if normalise(stem[: dash.start()]) == name:
            rest = stem[dash.end() :]
            while (shorter := _BUILT_FOR.sub("", rest)) != rest:
                rest = shorter
            # A wheel's build number and tags follow its version.
            candidate = rest.partition("-")[0] if file.endswith(".whl") else rest
            try:
                return str(Version(candidate))
            except InvalidVersion:
                continue
    return NO_VERSION


def file_path(name: str, file: str, part: Part = Part.FILE) -> str:
    """The path of a file's node, or of what lies beside it."""
    return f"{name}/{version_of(name, file)}/{file}{part.value}"


def page_path(name: str) -> str:
    """The path of a project's index document."""
    return f"{DOCUMENTS}/{name}.json"


def release_path(name: str, version: str) -> str:
    """The path of the JSON API's document of a project, or of one version of it."""
    return f"{DOCUMENTS}/api/{name}/{version}.json" if version else f"{DOCUMENTS}/api/{name}.json"


def told_of(path: str) -> str:
    """The project that a document tells of; empty for the list of all, and for what is no document."""
    first, *below = path.removesuffix(".json").split("/")
    if first != DOCUMENTS or path == PROJECTS_PATH:
        return ""
    return below[1] if below[0] == "api" and len(below) > 1 else below[0]


def admits(patterns: Patterns, path: str) -> bool:
    """Whether patterns let a file be, or any file of the project that a document tells of."""
    if not path.startswith(f"{DOCUMENTS}/"):
        return patterns.admits(path)
    name = told_of(path)
    return not name or patterns.reach(name, _FILE_DEPTH)
