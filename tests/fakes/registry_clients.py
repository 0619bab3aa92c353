"""The engines that pull images, with all their state below one folder: containerd, and dockerd on top of it.

Both need root, and neither runs a container. Paths have to be absolute: a dockerd with a relative one spins.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from attrs import define

START_SECONDS = 20.0
STOP_SECONDS = 10.0

_CONTAINERD = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/sock"
"""


@define(eq=False)
class Daemon:
    """A program in the background that is ready when ``probe`` exits with 0."""

    folder: Path
    _process: subprocess.Popen[bytes] | None = None

    def _start(self, command: Sequence[str | Path], probe: Callable[[], int]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if probe() == 0:
                return
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"{command[0]} did not start:\n{self.log()}")

    def log(self) -> str:
        """The end of what it printed."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        """End it; nothing of it stays mounted."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __exit__(self, *_: object) -> None:
        self.stop()


@define(eq=False)
class Containerd(Daemon):
    """containerd, and ``ctr`` to command it."""

    program: Path = Path("/usr/bin/containerd")

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.toml"
        config.write_text(_CONTAINERD.format(folder=self.folder))
        self._start([self.program, "--config", config], lambda: _status("ctr", "--address", str(self.socket), "version"))
        return self

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "sock"

    def ctr(self, *arguments: str | Path) -> list[str]:
        """The command line of ``ctr``."""
        return ["ctr", "--address", str(self.socket), *map(str, arguments)]


@define(eq=False)
class Dockerd(Daemon):
    """dockerd over a containerd, and ``docker`` to command it."""

    containerd: Path = Path()
    mirror: str = ""
    program: Path = Path("/usr/sbin/dockerd")

    def __enter__(self) -> Self:
        folder = self.folder
        options = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
        command: list[str | Path] = [self.program, "--host", f"unix://{self.socket}", "--containerd", self.containerd]
        for option, name in options.items():
            command += [option, folder / name]
        command += ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
        if self.mirror:
            command += ["--registry-mirror", self.mirror]
        self._start(command, lambda: _status(*self.docker("version")))
        return self

    def stop(self) -> None:
        """End it, and the network namespace that it leaves behind."""
        super().stop()
        with contextlib.suppress(OSError):
            subprocess.run(["umount", *map(str, (self.folder / "exec").rglob("netns/default"))], check=False, capture_output=True)

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "sock"

    def docker(self, *arguments: str) -> list[str]:
        """The command line of ``docker``."""
        config = self.folder / "client"
        return ["docker", "--config", str(config), "--host", f"unix://{self.socket}", *arguments]


def _status(*command: str) -> int:
    return subprocess.run(command, env=dict(os.environ), check=False, capture_output=True, timeout=10).returncode
