"""What systemd is told by a real process, over a real datagram socket; and the sockets that it hands over."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy, environment, twist


class Manager:
    """The socket of a service manager."""

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def wait_for(self, line: str) -> list[str]:
        """The next message with a line that begins so."""
        while True:
            message = self.socket.recv(4096).decode().split("\n")
            if any(each.startswith(line) for each in message):
                return message

    def count(self, line: str, seconds: float) -> int:
        """How many messages with a line come in a time."""
        found, deadline = 0, time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                found += line in self.socket.recv(4096).decode().split("\n")
            except TimeoutError:
                break
        self.socket.settimeout(30)
        return found


def test_a_whole_life(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """Ready, reloading with its time in one message, ready again, stopping."""
    with Manager(str(tmp_path / "notify")) as manager, serving({"/a": b"x"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url), env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.wait_for("READY=1") == ["READY=1", "STATUS=serving"]
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        regproxy.signal(signal.SIGHUP)
        (_, stamp) = manager.wait_for("RELOADING=1")
        assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        manager.wait_for("READY=1")
        assert regproxy.terminate() == 0
        assert manager.wait_for("STOPPING=1")[1].startswith("EXTEND_TIMEOUT_USEC=")


def test_an_abstract_socket(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Named by an ``@``."""
    name = f"regproxy-test-{os.getpid()}"
    with Manager(f"\0{name}") as manager:
        twist_regproxy("", env={"NOTIFY_SOCKET": f"@{name}"})
        assert "READY=1" in manager.wait_for("READY=1")


def test_the_watchdog_starves_with_the_reactor(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """Fed while the reactor turns, not while it stands still; fed again afterwards."""
    with Manager(str(tmp_path / "notify")) as manager:
        regproxy = twist_regproxy("", env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
        manager.wait_for("WATCHDOG=1")
        regproxy.signal(signal.SIGSTOP)
        manager.count("WATCHDOG=1", 0.5)  # what was on its way
        assert manager.count("WATCHDOG=1", 1.0) == 0
        regproxy.signal(signal.SIGCONT)
        manager.wait_for("WATCHDOG=1")


STARTER = """
import os, sys
for number, inherited in enumerate(map(int, sys.argv[1].split(","))):
    os.dup2(inherited, 3 + number)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def test_sockets_of_systemd(tmp_path: Path) -> None:
    """Two TCP sockets and a UNIX one, by index and by name: all of them are served."""
    first, second, local = socket.socket(), socket.socket(), socket.socket(socket.AF_UNIX)
    for each in (first, second):
        each.bind(("127.0.0.1", 0))
    local.bind(str(tmp_path / "front.sock"))
    # Above the descriptors that they are moved to, so that none of them overwrites another.
    spare = [os.dup(os.open(os.devnull, os.O_RDONLY)) for _ in range(4)]
    sockets = [first, second, local]
    moved = []
    for each in sockets:
        each.listen()
        moved.append(os.dup(each.fileno()))
    listen = '"systemd:domain=INET:index=0", "systemd:domain=INET:name=second", "systemd:domain=UNIX:name=local"'
    (tmp_path / "f.toml").write_text(f'[server]\nlisten = [{listen}]\ndataDir = "{tmp_path}/data"\n')
    arguments = twist("--log-format=text", "regproxy", "--config", str(tmp_path / "f.toml"))[1:]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", STARTER, ",".join(map(str, moved)), *arguments],
            env={**environment(), "LISTEN_FDS": "3", "LISTEN_FDNAMES": "first:second:local"},
            pass_fds=moved,
            stdout=log,
            stderr=log,
        )
    for number in (*moved, *spare):
        os.close(number)
    try:
        for each in sockets:
            # It is listened on already: a client waits in the queue until the server has started.
            client = socket.socket(each.family)
            client.settimeout(30)
            client.connect(each.getsockname())
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            with client:
                assert client.recv(15) == b"HTTP/1.1 200 OK", (tmp_path / "log").read_text()
    finally:
        process.terminate()
        code = process.wait(20)
        for each in sockets:
            each.close()
    assert code == 0


def test_unix_requests_are_whole(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """A body over a UNIX socket, which the kernel's own sending is not for."""
    data = os.urandom(3 << 20)
    with serving({"/a": data}) as upstream:
        path = tmp_path / "r.sock"
        regproxy = twist_regproxy(remote(upstream.url))
        assert regproxy.terminate() == 0
        regproxy.config.write_text(regproxy.config.read_text().replace("listen = [", f'listen = ["unix:{path}", '))
        process = subprocess.Popen(
            twist("regproxy", "--config", str(regproxy.config)),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        regproxy.process = process
        regproxy.wait_ready()
        for _ in range(2):
            connection = http.client.HTTPConnection("localhost", timeout=30)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(path))
            connection.request("GET", "/files/a")
            assert connection.getresponse().read() == data
            connection.close()
