"""The proxies that the rows can be played before: regproxy, and those of Debian, each with an empty cache of its own."""

import getpass
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from attrs import define, field

from tests.fakes.clients import find_program
from tests.fakes.process import Regproxy, free_port

CONF = Path(__file__).parent / "conf"
START_SECONDS = 30.0
REGPROXY = """
[docker]
defaultRepository = "hub"

[[repository]]
key = "hub"
rclass = "remote"
packageType = "docker"
url = "{url}"
allowedHosts = ["localhost"]
socketTimeoutMillis = {idle}
assumedOfflinePeriodSecs = 0
missedRetrievalCachePeriodSecs = 2
retrievalCachePeriodSecs = 1
"""


class Peer(Protocol):
    """A proxy in a process of its own."""

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""

    def start(self) -> None:
        """Start, and wait until it listens."""

    def close(self) -> None:
        """Stop."""


@define(eq=False)
class Packaged:
    """A program of the system with a configuration file of ``conf/``."""

    folder: Path
    config: str
    command: list[str]
    origin: int
    port: int = field(factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """See ``Peer``."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        text = (CONF / self.config).read_text(encoding="utf-8")
        written = self.folder / self.config
        written.write_text(text.format(dir=self.folder, port=self.port, origin=self.origin, user=getpass.getuser()))
        with (self.folder / "output.log").open("wb") as log:
            command = [*self.command, str(written)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "output.log").read_text(errors="replace")[-2000:]
                time.sleep(0.05)
            else:
                return

    def close(self) -> None:
        """See ``Peer``."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def regproxy(folder: Path, origin: int, idle_millis: int = 1500) -> Regproxy:
    """Ourselves, as the tests have it: without the scrub, which holds the blob that it reads as if a case had left it open."""
    return Regproxy(folder, '[store]\nscrubRate = "0"\n' + REGPROXY.format(url=f"http://127.0.0.1:{origin}", idle=idle_millis))


def nginx(folder: Path, origin: int) -> Packaged:
    """Nginx's ``proxy_cache``."""
    return Packaged(folder, "nginx.conf", [_program("nginx"), "-c"], origin)


def docker_registry(folder: Path, origin: int) -> Packaged:
    """The registry of Docker as a pull-through cache."""
    return Packaged(folder, "docker-registry.yml", [_program("docker-registry"), "serve"], origin)


PEERS: dict[str, Callable[[Path, int], Peer]] = {"regproxy": regproxy, "nginx": nginx, "docker-registry": docker_registry}


def version(name: str) -> str:
    """What a program says of itself."""
    if name == "regproxy":
        from regproxy import __version__  # noqa: PLC0415 - only for this

        return __version__
    option = "-v" if name == "nginx" else "--version"
    done = subprocess.run([_program(name), option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[^\s]*", done.stdout + done.stderr)
    return found[0] if found else "of unknown version"


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise SystemExit(f"{name} is not installed")
    return str(found)
