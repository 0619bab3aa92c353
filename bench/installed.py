"""Where ``bench/install`` has put the peers, and in which versions."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.programs import CHECKOUT, found

BENCH = CHECKOUT / ".bench"
DEBIAN = BENCH / "debian"
_LIBRARY = DEBIAN / "usr/lib/x86_64-linux-gnu"
LIBRARIES = {"LD_LIBRARY_PATH": f"{_LIBRARY}:{_LIBRARY}/varnish"}


class MissingPeerError(Exception):
    """A peer is not on this machine."""


def program(name: str, *folders: Path) -> str:
    """Where a peer's program is."""
    path = found(name, *folders)
    if path is None:
        raise MissingPeerError(f"{name} is not installed (bench/install; for nginx and docker-registry the system's own package)")
    return path


def versions() -> Mapping[str, str]:
    """What was installed, as ``bench/install`` and the programs themselves say it."""
    listed = BENCH / "versions"
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    said = dict(line.split(" ", 1) for line in lines)
    for name, option in (("nginx", "-v"), ("docker-registry", "--version"), ("wrk", "-v")):
        path = found(name)
        if path is not None:
            done = subprocess.run([path, option], capture_output=True, text=True, check=False)
            said[name] = (done.stdout + done.stderr).splitlines()[0].strip()
    return said
