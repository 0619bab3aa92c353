"""One fill across workers: a crowd that is spread over two of them, and a filler that is killed in the middle of a body."""

import os
import random
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.fakes import crowd
from tests.fakes.deploying import local
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.fakes.workers import workers_of
from tests.wire.test_life import get, wait_until

CLIENTS = 20
SIZE = 16 << 20
DATA = b"".join(random.Random(9).randbytes(1 << 20) for _ in range(SIZE >> 20))


def client_ports(pid: int, port: int) -> int:
    """How many connections of clients a process has."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            target = str(link.readlink())
            if target.startswith("socket:["):
                sockets.add(target[8:-1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = f"0100007F:{port:04X}"
    return sum(row[1] == ours and row[3] == "01" and row[9] in sockets for row in rows)


def test_one_fetch_for_a_crowd_over_two_workers(two_workers: Callable[..., Regproxy]) -> None:
    """Slow, leaving and late clients at both workers: one upstream GET, all bytes right."""
    with serving({"/big": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url))
        clients = crowd.mixed(CLIENTS, SIZE, seed=5)
        crowd.run(regproxy.port, "/files/big", DATA, clients, 120)
        stayed = [client for client in clients if client.leave_at is None]
        assert {client.got for client in stayed} == {SIZE}
        assert not any(client.wrong for client in clients)
        assert upstream.asked["GET", "/big"] == 1
        wait_until(lambda: list((regproxy.data_dir / "flights").iterdir()) == [])


def test_refusals_are_shared_and_documents_are_right(two_workers: Callable[..., Regproxy]) -> None:
    """What upstream does not have, and what is small, is asked for once by both workers together; a stale copy once each time."""
    with serving({"/small": DATA[:1000], "/stale": DATA[:2000]}) as upstream:
        stale = remote(upstream.url, "retrievalCachePeriodSecs = 0").replace('"files"', '"stale"')
        regproxy = two_workers(remote(upstream.url) + "\n" + stale)
        for path, answer in (("/small", (200, DATA[:1000])), ("/none", None)):
            with ThreadPoolExecutor(12) as pool:
                results = list(pool.map(partial(get, regproxy), [f"/files{path}"] * 12))
            assert {status for status, _ in results} == {404 if answer is None else 200}
            assert answer is None or set(results) == {answer}
            assert upstream.asked["GET", path] == 1
        for times in (1, 2):
            assert get(regproxy, "/stale/stale") == (200, DATA[:2000])
            assert upstream.asked["GET", "/stale"] == times


class Reader(threading.Thread):
    """Reads one body on a connection of its own."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.client = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.client.sendall(b"GET /files/big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.data = bytearray()

    def run(self) -> None:
        """Read to the end, or to the cut."""
        with suppress(OSError):
            while part := self.client.recv(1 << 20):
                self.data += part
        self.client.close()

    @property
    def body(self) -> bytes:
        """What came."""
        return bytes(self.data).partition(b"\r\n\r\n")[2]


def filler(regproxy: Regproxy) -> int:
    """The worker that writes the spool file."""
    spool = str(regproxy.data_dir / "store" / "spool")
    for pid in workers_of(regproxy):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().split()
            written = int(info[info.index("flags:") + 1], 8) & os.O_ACCMODE != os.O_RDONLY
            if str(link.readlink()).startswith(spool) and written:
                return pid
    raise AssertionError("nobody writes")


def test_who_stays_keeps_a_fill_that_others_leave(two_workers: Callable[..., Regproxy]) -> None:
    """With ``landing = "abandon"`` a fill goes on while clients of any worker read it."""
    with serving({"/big": DATA}) as upstream:
        upstream.hold.clear()
        regproxy = two_workers(remote(upstream.url, 'landing = "abandon"'))
        first = Reader(regproxy.port)
        first.start()
        wait_until(lambda: bool(list((regproxy.data_dir / "store" / "spool").iterdir())), 30)
        filling = filler(regproxy)
        (other,) = workers_of(regproxy) - {filling}
        readers: list[Reader] = []
        while not client_ports(other, regproxy.port):
            readers.append(Reader(regproxy.port))
            readers[-1].start()
            assert len(readers) < 60
            threading.Event().wait(0.1)
        for reader in (first, *readers[:-1]):
            reader.client.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: client_ports(filling, regproxy.port) == 0, 30)
        threading.Event().wait(1.5)  # longer than a deserted fill is left alone
        upstream.hold.set()
        readers[-1].join(60)
        assert readers[-1].body == DATA
        assert upstream.ranges["/big"] == [None]


def test_a_dead_filler_is_taken_over(two_workers: Callable[..., Regproxy]) -> None:
    """Killed in the middle of a body, the other worker goes on from there; its clients get every byte."""
    with serving({"/big": DATA}) as upstream:
        upstream.hold.clear()
        regproxy = two_workers(remote(upstream.url))
        readers: list[Reader] = []
        while not readers or any(client_ports(pid, regproxy.port) < 2 for pid in workers_of(regproxy)):
            readers.append(Reader(regproxy.port))
            readers[-1].start()
            assert len(readers) < 60
            threading.Event().wait(0.1)
        wait_until(lambda: all(len(reader.data) > SIZE // 8 for reader in readers), 30)
        killed = filler(regproxy)
        (other,) = workers_of(regproxy) - {killed}
        staying = client_ports(other, regproxy.port)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: upstream.asked["GET", "/big"] == 2, 30)
        upstream.hold.set()
        for reader in readers:
            reader.join(60)
        whole = [reader for reader in readers if len(reader.body) == SIZE]
        assert len(whole) == staying
        assert all(reader.body == DATA for reader in whole)
        assert all(DATA.startswith(reader.body) for reader in readers)
        assert upstream.ranges["/big"] == [None, SIZE // 2]
        assert get(regproxy, "/files/big") == (200, DATA)
        assert upstream.asked["GET", "/big"] == 2


def test_what_one_worker_has_parked_the_other_goes_on_with(two_workers: Callable[..., Regproxy]) -> None:
    """Upstream sends no byte twice, and nothing stays in the spool."""
    with serving({"/big": DATA}) as upstream:
        upstream.hold.clear()
        regproxy = two_workers(remote(upstream.url, 'landing = "park"'))
        spool = regproxy.data_dir / "store" / "spool"
        leaving = Reader(regproxy.port)
        leaving.start()
        wait_until(lambda: any(path.stat().st_size >= SIZE // 2 for path in spool.iterdir()), 30)
        parking = filler(regproxy)
        leaving.client.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: any(path.read_bytes().endswith(b"kept\n") for path in spool.glob("*.extents")), 30)
        (other,) = workers_of(regproxy) - {parking}
        waiting = [socket.create_connection(("127.0.0.1", regproxy.port), timeout=60)]
        while not client_ports(other, regproxy.port):
            waiting.append(socket.create_connection(("127.0.0.1", regproxy.port), timeout=60))
            assert len(waiting) < 60
            threading.Event().wait(0.1)
        upstream.hold.set()
        waiting[-1].sendall(b"GET /files/big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with waiting[-1].makefile("rb") as answer:
            assert answer.read().partition(b"\r\n\r\n")[2] == DATA
        assert upstream.ranges["/big"] == [None, SIZE // 2]
        wait_until(lambda: not list(spool.iterdir()))
        for client in waiting:
            client.close()


def test_what_a_killed_worker_was_writing_goes(two_workers: Callable[..., Regproxy]) -> None:
    """An upload that nobody can go on with does not lie there until all workers have ended."""
    regproxy = two_workers(local("own"))
    spool = regproxy.data_dir / "store" / "spool"
    with socket.create_connection(("127.0.0.1", regproxy.port), timeout=60) as client:
        head = f"PUT /own/big HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"
        client.sendall(head.encode() + DATA[: SIZE // 2])
        wait_until(lambda: any(path.stat().st_size for path in spool.iterdir()), 30)
        os.kill(filler(regproxy), signal.SIGKILL)
        wait_until(lambda: not list(spool.iterdir()), 30)
