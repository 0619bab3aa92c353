"""What holds after every fault, looked at from inside: files, descriptors, threads, fills, and the log of a running regproxy."""

import contextlib
import hashlib
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import apsw
from attrs import define, field, frozen

from tests.fakes.process import Regproxy
from tests.faults.scene import wait_for

SECONDS = 20.0
VERIFY_SECONDS = 300.0
LATER_THREADS = 10
"""Twisted's own pool has so many at most, and begins them when it needs them; the others are there from the start."""
PIECE = 1 << 20


@frozen
class Descriptors:
    """What a process has open."""

    files: Counter[str]
    sockets: int


@define(eq=False)
class Invariants:
    """Looks at one process between cases; blobs that were looked at are not read again."""

    regproxy: Regproxy
    _seen: set[str] = field(factory=set, init=False)
    _before: Descriptors = field(init=False)
    _threads: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._before, self._threads = self.descriptors(), self.threads()

    def check(self, drop_idle: Callable[[], object]) -> None:
        """Everything; ``drop_idle`` closes upstream's side of connections that wait for their next use."""
        wait_for(lambda: self.fills() == [], SECONDS, "a fill goes on, or its followers have not left")
        self.check_store()
        assert self.threads() <= self._threads + LATER_THREADS, f"{self.threads()} threads, {self._threads} in the beginning"

        def nothing_leaks() -> bool:
            drop_idle()
            return self._nothing_leaks()

        try:
            wait_for(nothing_leaks, SECONDS, "descriptors are left open")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._look()} after {self._before}") from None

    def check_store(self) -> None:
        """Blobs are what their names say, one for each digest, rows have theirs, and the spool is empty."""
        spool = self.regproxy.data_dir / "store" / "spool"
        wait_for(lambda: not list(spool.iterdir()), SECONDS, "the spool is not empty")
        names = Counter(path.name for path in self._blobs())
        assert not [name for name, count in names.items() if count > 1], "a digest is stored twice"
        for path in self._blobs():
            if path.name not in self._seen:
                assert _sha256(path) == path.name, "a blob is not what its name says"
                self._seen.add(path.name)
        wait_for(lambda: not self._lost(), SECONDS, "a row has no blob of its size")

    def _lost(self) -> set[tuple[str, int]]:
        """Rows whose blob is not there, as they say that it is."""
        index = apsw.Connection(str(self.regproxy.data_dir / "index.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
        with contextlib.closing(index):
            rows = set(index.execute("SELECT sha256, size FROM blobs"))
        return rows - {(path.name, path.stat().st_size) for path in self._blobs()}

    def fills(self) -> list[dict[str, object]]:
        """The live fills, from the control socket."""
        return fills(self.regproxy)

    def descriptors(self) -> Descriptors:
        """What is open now, once it stays the same for a moment."""
        found = self._look()
        while (again := self._later()) != found:
            found = again
        return found

    def threads(self) -> int:
        """How many there are now."""
        assert self.regproxy.process is not None
        return len(list(Path(f"/proc/{self.regproxy.process.pid}/task").iterdir()))

    def _later(self) -> Descriptors:
        time.sleep(0.2)
        return self._look()

    def _look(self) -> Descriptors:
        assert self.regproxy.process is not None
        folder = Path(f"/proc/{self.regproxy.process.pid}/fd")
        targets = []
        for link in folder.iterdir():
            try:
                targets.append(str(link.readlink()))
            except FileNotFoundError:
                continue
        files = Counter(target for target in targets if target.startswith("/") and "index.sqlite" not in target)
        return Descriptors(files, sum(target.startswith("socket:") for target in targets))

    def _nothing_leaks(self) -> bool:
        now = self._look()
        return now.files == self._before.files and now.sockets <= self._before.sockets

    def _blobs(self) -> list[Path]:
        return [path for path in (self.regproxy.data_dir / "store" / "blobs").rglob("*/*/*") if path.is_file()]


def check_verified(regproxy: Regproxy) -> None:
    """``verify --strict`` finds nothing wrong with what a server that has stopped leaves behind, nor with its sums."""
    done = regproxy.command("verify", "--strict", seconds=VERIFY_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


def fills(regproxy: Regproxy) -> list[dict[str, object]]:
    """See ``Invariants.fills``."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        sock.connect(str(regproxy.data_dir / "control.sock"))
        sock.sendall(b"GET /fetches HTTP/1.0\r\n\r\n")
        answer = b""
        while data := sock.recv(65536):
            answer += data
    found: list[dict[str, object]] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(PIECE):
            found.update(data)
    return found.hexdigest()
