"""A server program: started with empty caches in a folder of its own, and what it and its children have used."""

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define, field

CONF = Path(__file__).parent / "conf"
CHECKOUT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60


def free_port() -> int:
    """A port that nobody listens on, below those of outgoing connections: thousands of those come and go here."""
    while True:
        port = random.randint(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@define(eq=False)
class Program:
    """One server.

    Attributes:
        configs: files of ``bench/conf``; in them, in ``command`` and ``env`` ``@name@`` is one of ``values``, or dir, port, user.
        prepare: commands that end before it starts.
        caches: folders below its own that hold large bodies.
        after: what makes it ready, once it listens.
    """

    name: str
    folder: Path
    configs: Sequence[str]
    command: Sequence[str]
    values: Mapping[str, object] = field(factory=dict)
    env: Mapping[str, str] = field(factory=dict)
    prepare: Sequence[Sequence[str]] = ()
    caches: Sequence[str] = ()
    after: "Callable[[Program], None] | None" = None
    port: int = field(factory=free_port)
    tls_port: int = field(factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def _filled(self, text: str) -> str:
        known = {"dir": self.folder, "port": self.port, "tlsport": self.tls_port, "user": getpass.getuser(), "conf": CONF}
        for name, value in {**known, **self.values}.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    def start(self) -> None:
        """Start with empty caches and wait until it listens."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name in self.configs:
            text = self._filled((CONF / name).read_text(encoding="utf-8"))
            (self.folder / name).write_text(text, encoding="utf-8")
        env = {**os.environ, "PYTHONPATH": str(CHECKOUT), **{name: self._filled(value) for name, value in self.env.items()}}
        with (self.folder / "output.log").open("wb") as log:
            for command in self.prepare:
                filled = [self._filled(part) for part in command]
                done = subprocess.run(
                    filled, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=env, check=False
                )
                if done.returncode:
                    raise RuntimeError(f"{self.name} cannot be prepared: {self.printed()}")
            self.process = subprocess.Popen(
                [self._filled(part) for part in self.command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=env,
            )
        self._wait()
        if self.after is not None:
            self.after(self)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError(f"{self.name} does not listen: {self.printed()}")

    def printed(self) -> str:
        """The end of what it has printed."""
        return (self.folder / "output.log").read_text(encoding="utf-8", errors="replace")[-2000:]

    def stop(self) -> None:
        """Stop it and its children."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and its children."""
        for pid in self._tree():
            os.kill(pid, number)

    def _tree(self) -> list[int]:
        assert self.process is not None
        found, seen = [self.process.pid], 0
        while seen < len(found):
            for task in Path(f"/proc/{found[seen]}/task").iterdir():
                found += map(int, (task / "children").read_text(encoding="ascii").split())
            seen += 1
        return found

    def cpu(self) -> float:
        """Processor seconds so far, user and system, of it and of its children, those that have ended included."""
        stats = [Path(f"/proc/{pid}/stat").read_text(encoding="ascii") for pid in self._tree()]
        return sum(ticks_of(stat) for stat in stats) / TICKS

    def forget_peak(self) -> None:
        """Let ``peak_rss`` begin anew."""
        for pid in self._tree():
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_rss(self) -> float:
        """Most memory of its processes together, in MB."""
        texts = [Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in self._tree()]
        return sum(int(text.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6 for text in texts)

    def settle(self, limit: float = 10) -> None:
        """Wait until it has nothing left to do."""
        before, deadline = -1.0, time.monotonic() + limit
        while (now := self.cpu()) != before and time.monotonic() < deadline:
            before = now
            time.sleep(0.2)

    def drop(self, least: int = 1 << 20) -> None:
        """Remove the large bodies it holds: nobody asks for them again, and pages that are never written cost no disk."""
        for cache in self.caches:
            for file in (self.folder / cache).rglob("*"):
                if file.is_file() and file.stat().st_size >= least:
                    file.unlink()


def ticks_of(stat: str) -> int:
    """Clock ticks in a line of ``/proc/…/stat``: own and those of children that have ended."""
    return sum(int(each) for each in stat.rpartition(")")[2].split()[11:15])


def found(name: str, *folders: Path) -> str | None:
    """Where a program is: in these folders first, then in PATH."""
    path = ":".join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path)
