"""The programs that are measured: how each is started, and what it has used."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from attrs import define, field

HERE = Path(__file__).parent
CHECKOUT = HERE.parent
CONF = HERE / "conf"
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@define
class Program:
    """A server in a folder of its own."""

    name: str
    folder: Path
    config: str
    command: list[str]
    origin: int = 0
    port: int = field(factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, **more: object) -> None:
        """Start with empty caches and wait until it listens."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        text = (CONF / self.config).read_text(encoding="utf-8")
        written = self.folder / self.config
        written.write_text(
            text.format(dir=self.folder, port=self.port, origin=self.origin, user=getpass.getuser(), **more), encoding="utf-8"
        )
        arguments = [part.replace("{config}", str(written)) for part in self.command]
        with (self.folder / "output.log").open("wb") as log:
            self.process = subprocess.Popen(
                arguments,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=CHECKOUT,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"{self.name} does not listen: {(self.folder / 'output.log').read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Stop it and its children."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def _pids(self) -> list[int]:
        assert self.process is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *map(int, children)]

    def cpu(self) -> float:
        """Processor seconds so far, user and system, of it and its children."""
        fields = [Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split() for pid in self._pids()]
        return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS

    def peak_rss(self) -> float:
        """Most memory of one of its processes, in MB."""
        texts = [Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in self._pids()]
        return max(int(text.partition("VmHWM:")[2].split()[0]) / 1024 for text in texts)


def origin(work: Path) -> Program:
    """Nginx with static files."""
    return Program("origin", work / "origin", "nginx-origin.conf", [_program("nginx"), "-c", "{config}"])


def peers(work: Path, origin_port: int) -> list[Program]:
    """Regproxy and those beside it."""
    twist = [sys.executable, "-c", "from twisted.application.twist._twist import Twist; Twist.main()", "--log-level=error"]
    return [
        Program("regproxy", work / "regproxy", "regproxy.toml", [*twist, "regproxy", "--config", "{config}"], origin_port),
        Program("nginx", work / "nginx", "nginx-cache.conf", [_program("nginx"), "-c", "{config}"], origin_port),
        Program(
            "docker-registry",
            work / "docker",
            "docker-registry.yml",
            [_program("docker-registry"), "serve", "{config}"],
            origin_port,
        ),
    ]


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise SystemExit(f"{name} is not installed")
    return found
