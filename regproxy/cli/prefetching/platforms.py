"""For which Python and which machine files are wanted: the tags of wheels that fit, and what markers say there. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen
from packaging.markers import default_environment
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, platform_tags, sys_tags
from packaging.version import Version

_MANYLINUX = re.compile(r"manylinux_2_(\d+)_(\w+)")
_MUSL = re.compile(r"musllinux_1_(\d+)_(\w+)")
_MAC = re.compile(r"macosx_(\d+)_(\d+)_(\w+)")
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_SYSTEMS = {"linux": ("linux", "Linux", "posix"), "macosx": ("darwin", "Darwin", "posix"), "win": ("win32", "Windows", "nt")}


@frozen
class Platform:
    """One of them.

    Attributes:
        name: what tells it from others.
        tags: the best one first.
        environment: of markers.
    """

    name: str
    tags: Sequence[Tag]
    environment: Mapping[str, str]

    @property
    def python(self) -> Version:
        """Its version."""
        return Version(self.environment["python_full_version"])


def this_platform() -> Platform:
    """That of the program itself."""
    environment = {name: str(value) for name, value in default_environment().items()}
    return Platform("", list(sys_tags()), environment)


def platform_for(python: str, platform: str) -> Platform:
    """A CPython of a version such as 3.12, on a platform such as manylinux_2_28_x86_64, or this machine's if that is empty.

    ``ValueError`` for what is neither.
    """
    here = this_platform()
    version = python or ".".join(here.environment["python_version"].split("."))
    if not re.fullmatch(r"3\.\d{1,2}", version):
        raise ValueError(f"expected a version such as 3.12, not {python}")
    major, minor = map(int, version.split("."))
    platforms = list(_expanded(platform)) if platform else list(platform_tags())
    interpreter = f"cp{major}{minor}"
    tags = [
        *cpython_tags((major, minor), platforms=platforms),
        *compatible_tags((major, minor), interpreter, platforms),
    ]
    said = {"python_version": version, "python_full_version": f"{version}.0", "implementation_version": f"{version}.0"}
    return Platform(f"{version} {platform}", tags, {**here.environment, **said, **(_environment(platform) if platform else {})})


def _expanded(platform: str) -> Iterable[str]:
    """The platform, and older ones whose wheels run on it too."""
    if found := _MANYLINUX.fullmatch(platform):
        for minor in range(int(found[1]), 4, -1):
            yield f"manylinux_2_{minor}_{found[2]}"
            if minor in _OLD_NAMES:
                yield f"{_OLD_NAMES[minor]}_{found[2]}"
        yield f"linux_{found[2]}"
    elif found := _MUSL.fullmatch(platform):
        yield from (f"musllinux_1_{minor}_{found[2]}" for minor in range(int(found[1]), -1, -1))
    elif found := _MAC.fullmatch(platform):
        yield from mac_platforms((int(found[1]), int(found[2])), found[3])
    elif platform in ("win32", "win_amd64", "win_arm64"):
        yield platform
    else:
        raise ValueError(f"expected a platform such as manylinux_2_28_x86_64, macosx_14_0_arm64 or win_amd64, not {platform}")


def _environment(platform: str) -> Mapping[str, str]:
    kind = "win" if platform.startswith("win") else "macosx" if platform.startswith("macosx") else "linux"
    system, name, os_name = _SYSTEMS[kind]
    if kind == "win":
        machine = {"win32": "x86", "win_amd64": "AMD64", "win_arm64": "ARM64"}[platform]
    else:
        found = _MANYLINUX.fullmatch(platform) or _MUSL.fullmatch(platform)
        machine = found[2] if found else platform.split("_", 3)[3]
    return {"sys_platform": system, "platform_system": name, "os_name": os_name, "platform_machine": machine}
