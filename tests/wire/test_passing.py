"""Bodies that are not kept, through a real process: whole, verified, in little memory, whoever falls behind."""

import hashlib
import http.client
import random
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.origin import Origin, origin
from tests.fakes.process import Regproxy
from tests.wire.test_life import get, wait_until

SIZE = 48 << 20
DATA = random.Random(7).randbytes(SIZE)
BLOB = f"/v2/app/blobs/sha256:{hashlib.sha256(DATA).hexdigest()}"
REMOTES = """
[[repository]]
key = "files"
rclass = "remote"
packageType = "generic"
url = "{url}"
storeArtifactsLocally = false

[[repository]]
key = "hub"
rclass = "remote"
packageType = "docker"
url = "{url}"
storeArtifactsLocally = false
"""
THERE = f"/v2/hub{BLOB.removeprefix('/v2')}"


@pytest.fixture
def upstream() -> Iterator[Origin]:
    """One large file, by a plain address and by one that says its digest."""
    with origin({"/big": DATA, BLOB: DATA}) as server:
        yield server


class Slow:
    """A client that begins to read, and goes on when it is told."""

    def __init__(self, port: int, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.connect()
        self._connection.request("GET", path)
        self._answer = self._connection.getresponse()
        self.body = bytearray(self._answer.read(1000))

    def rest(self) -> bytes:
        """All that it gets, be it short."""
        try:
            while piece := self._answer.read1(1 << 20):
                self.body += piece
        except (http.client.IncompleteRead, ConnectionError):
            pass
        self._connection.close()
        return bytes(self.body)


def two(upstream: Origin, regproxy: Regproxy, path: str) -> tuple[Slow, Slow]:
    """Two clients of one body; upstream goes on when both are there."""
    gate = threading.Event()
    for name in upstream.contents:
        upstream.gates[name, 512 << 10] = gate
    clients = Slow(regproxy.port, path), Slow(regproxy.port, path)
    gate.set()
    return clients


def spool_is_empty(regproxy: Regproxy) -> bool:
    """Nothing of it is on the disk, in any state."""
    store = regproxy.data_dir / "store"
    return not [file for file in store.rglob("*") if file.is_file()]


@pytest.mark.parametrize("path", ["/files/big", THERE])
@pytest.mark.parametrize("chunked", [False, True])
def test_it_passes_through(upstream: Origin, twist_regproxy: Callable[..., Regproxy], path: str, *, chunked: bool) -> None:
    """The client has all of it, the disk nothing, and the memory did not grow with it."""
    upstream.chunked = chunked
    regproxy = twist_regproxy(REMOTES.format(url=upstream.url))
    before = regproxy.peak_rss()
    assert get(regproxy, path) == (200, DATA)
    assert spool_is_empty(regproxy)
    assert regproxy.peak_rss() - before < 24 << 20


@pytest.mark.parametrize("path", ["/files/big", THERE])
def test_who_falls_behind_gets_the_rest_by_a_range(upstream: Origin, twist_regproxy: Callable[..., Regproxy], path: str) -> None:
    """The fast one is not paced by the slow one, who gets the same bytes from upstream once more."""
    regproxy = twist_regproxy(REMOTES.format(url=upstream.url))
    slow, fast = two(upstream, regproxy, path)
    assert fast.rest() == DATA
    assert slow.rest() == DATA
    ranges = [asked for _, asked in upstream.asked]
    assert ranges[0] == ""
    assert len(ranges) == 2
    assert ranges[1].startswith("bytes=")


def test_who_falls_behind_a_body_without_a_name_is_cut(upstream: Origin, twist_regproxy: Callable[..., Regproxy]) -> None:
    """Nothing says that a second answer would be the same body."""
    upstream.validated = False
    regproxy = twist_regproxy(REMOTES.format(url=upstream.url))
    slow, fast = two(upstream, regproxy, "/files/big")
    assert fast.rest() == DATA
    got = slow.rest()
    assert len(got) < SIZE
    assert DATA.startswith(got)


def test_a_detour_is_verified(upstream: Origin, twist_regproxy: Callable[..., Regproxy]) -> None:
    """An upstream that lies to the range only does not get a wrong artifact through."""
    upstream.wrong[BLOB] = DATA[: SIZE - 100] + bytes([DATA[SIZE - 100] ^ 1]) + DATA[SIZE - 99 :]
    regproxy = twist_regproxy(REMOTES.format(url=upstream.url))
    slow, fast = two(upstream, regproxy, THERE)
    assert fast.rest() == DATA
    assert len(slow.rest()) < SIZE


def test_one_slow_client_holds_upstream_back(upstream: Origin, twist_regproxy: Callable[..., Regproxy]) -> None:
    """What nobody reads is not fetched: sockets and the window fill up, then upstream waits."""
    regproxy = twist_regproxy(REMOTES.format(url=upstream.url))
    slow = Slow(regproxy.port, "/files/big")
    seen: list[int] = []

    def stands_still() -> bool:
        seen.append(upstream.sent.get("/big", 0))
        return len(seen) > 40 and seen[-1] == seen[-40]

    wait_until(stands_still, 30)
    assert seen[-1] < SIZE
    assert slow.rest() == DATA


def test_when_nobody_is_left_it_ends(upstream: Origin, twist_regproxy: Callable[..., Regproxy]) -> None:
    """A body that is not kept has nobody to go on for."""
    regproxy = twist_regproxy(REMOTES.format(url=upstream.url))
    slow = Slow(regproxy.port, "/files/big")
    slow._answer.close()
    slow._connection.close()
    wait_until(lambda: b"\nregproxy_inflight_fetches 0.0" in get(regproxy, "/metrics")[1], 20)
    assert upstream.sent["/big"] < SIZE
    assert get(regproxy, "/files/big") == (200, DATA)
