"""SIGTERM in a real process: what runs is finished, what is new is refused, what is late is cut."""

import http.client
import random
import signal
import socket
import time
from collections.abc import Callable

from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy

SIZE = 12 << 20
DATA = random.Random(6).randbytes(SIZE)
STREAMS = 50
PATIENT = "drainSeconds = 60"


def open_stream(port: int, path: str = "/files/big") -> socket.socket:
    """Ask for a file, and read no more than the head of the answer's first line."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert client.recv(12) == b"HTTP/1.1 200"
    return client


def read_all(client: socket.socket) -> bytes:
    """The rest of the answer: its body, as far as it comes."""
    parts = []
    try:
        while data := client.recv(1 << 20):
            parts.append(data)
    except ConnectionError:
        parts.append(b"")
    client.close()
    return b"".join(parts).partition(b"\r\n\r\n")[2]


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll; fails when it does not come true."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_refused(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_streams_are_finished(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Fifty slow clients of one file get every byte, new ones are refused meanwhile, and the status is 0."""
    with serving({"/big": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url), server=PATIENT)
        streams = [open_stream(regproxy.port) for _ in range(STREAMS)]
        regproxy.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(regproxy.port))
        assert [len(DATA)] * STREAMS == [len(body) for body in map(read_all, streams) if body == DATA]
        assert regproxy.wait_end() == 0


def test_a_late_stream_is_cut(twist_regproxy: Callable[..., Regproxy]) -> None:
    """A client that does not take its bytes within drainSeconds sees a short body; the status is 0 all the same."""
    with serving({"/big": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        stream = open_stream(regproxy.port)
        regproxy.signal(signal.SIGTERM)
        assert regproxy.wait_end() == 0
        assert len(read_all(stream)) < SIZE
        assert "cutting 1 responses" in regproxy.log


def test_a_second_signal_ends_at_once(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Without waiting for drainSeconds, which would be longer than this test has patience."""
    with serving({"/big": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url), server=PATIENT)
        stream = open_stream(regproxy.port)
        regproxy.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(regproxy.port))
        regproxy.signal(signal.SIGTERM)
        assert regproxy.wait_end() == 0
        stream.close()


def test_balancers_are_told_first(twist_regproxy: Callable[..., Regproxy]) -> None:
    """During drainDelay the port is open, /readyz says why it is not ready, and responses end their connections."""
    with serving({"/a": b"x"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url), server="drainDelay = 60")
        kept = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=30)
        kept.request("GET", "/files/a")
        assert kept.getresponse().read() == b"x"
        regproxy.signal(signal.SIGTERM)

        def ready() -> tuple[int, bytes]:
            probe = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=30)
            probe.request("GET", "/readyz")
            answer = probe.getresponse()
            return answer.status, answer.read()

        wait_until(lambda: ready()[0] == 503)
        assert b"draining" in ready()[1]
        kept.request("GET", "/files/a")
        answer = kept.getresponse()
        assert (answer.read(), answer.getheader("connection")) == (b"x", "close")
        regproxy.signal(signal.SIGTERM)
        assert regproxy.wait_end() == 0


def test_the_command(twist_regproxy: Callable[..., Regproxy]) -> None:
    """``regproxy drain`` does what SIGTERM does, and waits if it is told to."""
    with serving({"/big": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url), server=PATIENT)
        stream = open_stream(regproxy.port)

        assert regproxy.command("drain").stdout.startswith("draining: 1 responses")
        assert regproxy.command("drain", "--wait", "1").returncode == 1
        assert read_all(stream) == DATA
        last = regproxy.command("drain", "--wait", "30")
        assert (last.returncode == 0 and last.stdout == "drained\n") or "no regproxy to ask" in last.stderr
        assert regproxy.wait_end() == 0
