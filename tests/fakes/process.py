"""A real ``twist regproxy`` in a process of its own, for tests that must see the whole of it.

``Regproxy`` blocks while it starts and stops the process; nothing that it waits for is served by the test's own reactor. Programs
that talk to a fake upstream of the same test must not block that reactor: ``run`` runs them in a thread.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, field, frozen
from twisted.internet.threads import deferToThread

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 20.0
DRAIN_SECONDS = 1
SIGNS_OF_TROUBLE = ("Traceback (most recent call last)", "Unhandled error in Deferred", "Unhandled Error")


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listened on a moment ago.

    Below the range that the kernel gives to outgoing connections, one of which could otherwise take it before the server does.
    """
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@frozen
class Finished:
    """How a program ended; both of its streams in one."""

    code: int
    output: str


async def run(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 120.0,
) -> Finished:
    """Run a program in a thread; ``env`` is added to this process's own. ``TimeoutExpired`` when it takes too long."""
    done: subprocess.CompletedProcess[str] = await deferToThread(
        subprocess.run,
        [str(argument) for argument in arguments],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Finished(done.returncode, done.stdout)


def environment() -> dict[str, str]:
    """The environment of ``twist``: the checkout's plugin folder found, however the package was installed."""
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path}


def twist(*arguments: str) -> list[str]:
    """The command that runs ``twist`` by this interpreter."""
    return [sys.executable, "-c", "from twisted.application.twist._twist import Twist; Twist.main()", *arguments]


@define
class Regproxy:
    """``twist regproxy`` with a configuration of its own below ``folder``.

    Attributes:
        folder: has regproxy.toml, log and data/.
        port: of its only listener, on 127.0.0.1.
        repositories: the text behind the ``[server]`` table.
        server: further lines of the ``[server]`` table.
        env: added to the environment.
        sockets: further endpoints to listen on.
        files: how many descriptors it may have; None as many as this process.
        memory: how many bytes of memory of its own it may have; None: no limit.
    """

    folder: Path
    repositories: str
    server: str = ""
    env: Mapping[str, str] = field(factory=dict)
    files: int | None = None
    memory: int | None = None
    sockets: Sequence[str] = ()
    port: int = field(factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """Where it listens: no slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data_dir(self) -> Path:
        """Its state."""
        return self.folder / "data"

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder / "regproxy.toml"

    @property
    def log(self) -> str:
        """Everything that it has printed since the first start."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def tail(self) -> str:
        """The end of what it has printed."""
        return "\n".join(self.log.splitlines()[-40:])

    def write_config(self, repositories: str | None = None) -> None:
        """Write the file again; the process sees it at the next start or SIGHUP."""
        if repositories is not None:
            self.repositories = repositories
        listen = json.dumps([f"tcp:{self.port}:interface=127.0.0.1", *self.sockets])
        head = f'[server]\nlisten = {listen}\ndataDir = "{self.data_dir}"\n{self.server}\n'
        if "drainSeconds" not in self.server:
            head += f"drainSeconds = {DRAIN_SECONDS}\n"
        self.config.write_text(head + self.repositories)

    def start(self, *, ready: bool = True) -> None:
        """Start it and, unless ``ready`` is False, wait until ``/readyz`` says 200."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_config()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._limited() + twist("--log-format=text", "regproxy", "--config", str(self.config)),
                cwd=self.folder,
                env={**environment(), **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if ready:
            self.wait_ready()

    def _limited(self) -> list[str]:
        limits = {"nofile": self.files, "data": self.memory}
        given = [f"--{name}={value}" for name, value in limits.items() if value is not None]
        return ["prlimit", *given] if given else []

    def wait_ready(self) -> None:
        """Poll ``/readyz``; fails with the end of the log when the process ends or is not ready in time."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._running().poll() is not None:
                raise AssertionError(f"regproxy ended with {self._running().returncode}:\n{self.tail}")
            with (
                contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
                urllib.request.urlopen(f"{self.base_url}/readyz", timeout=2) as answer,
            ):
                if answer.status == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"regproxy was not ready after {START_SECONDS:.0f} s:\n{self.tail}")

    def wait_end(self, seconds: float = STOP_SECONDS) -> int:
        """Wait until it ends by itself; its exit status."""
        code = self._running().wait(timeout=seconds)
        self.process = None
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running().send_signal(number)

    def kill9(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.wait_end()

    def terminate(self) -> int:
        """SIGTERM, and wait; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait_end()

    def restart(self, *, kill: bool = False) -> None:
        """Stop it, by ``kill -9`` if asked, and start it over the same data with the same port."""
        if kill:
            self.kill9()
        else:
            self.terminate()
        self.start()

    def close(self) -> None:
        """Stop it whatever its state, and fail if its log shows an exception that nobody caught."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"regproxy did not stop within {STOP_SECONDS:.0f} s:\n{self.tail}") from None
            finally:
                self.process = None
        log = self.log
        found = [log.index(sign) for sign in SIGNS_OF_TROUBLE if sign in log]
        assert found == [], f"the log has trouble:\n{log[max(0, min(found) - 1000) : min(found) + 7000]}"

    def command(self, name: str, *arguments: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run ``regproxy NAME`` over its data, and wait for its end."""
        return subprocess.run(
            [sys.executable, "-m", "regproxy", name, "--data-dir", str(self.data_dir), *arguments],
            env=environment(),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def rss(self) -> int:
        """Bytes of memory that it holds now."""
        return self._memory("VmRSS")

    def peak_rss(self) -> int:
        """Bytes of memory that it held at most."""
        return self._memory("VmHWM")

    def _memory(self, row: str) -> int:
        for line in Path(f"/proc/{self._running().pid}/status").read_text().splitlines():
            if line.startswith(f"{row}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {row} of a process that has ended")

    def _running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "regproxy is not running"
        return self.process
