"""Rows 5, 6, 10 and 12, seen from inside: what clients that hardly read cost, and one digest in two repositories.

``REGPROXY_FULL=1``: 10 000 crawling readers, or as many as this machine's limit of descriptors allows.
"""

import resource
import time
from collections.abc import Callable

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.fakes import crowd
from tests.fakes.crowd import Client
from tests.fakes.process import Regproxy
from tests.fakes.upstream import FakeUpstream, Script
from tests.faults import peers
from tests.faults.conftest import FULL, SCALE
from tests.faults.scene import KIB, MIB, Scene, check_all_right

CRAWLERS = 10_000 if FULL else 200
PER_READER = 20 * KIB
"""9 to 17 are measured: the connection with its buffers, the request, a descriptor of the blob, and their Python objects."""
ANYWAY = 8 * MIB
"""What the allocator takes beside that."""
NOISE = 0.15
"""Seconds that a hit may take longer where others use the machine, too."""
FLAT = 48 * MIB


def _most() -> int:
    """How many connections the limit of descriptors allows, at both ends: each takes the server two, with the blob's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(CRAWLERS, ((hard if hard != resource.RLIM_INFINITY else soft) - 500) // 2)


def _p99(port: int, path: str, data: bytes) -> float:
    """Of a hundred small hits, one after the other."""
    took = []
    for _ in range(100):
        client = Client()
        crowd.run(port, path, data, [client], 60)
        assert client.right
        took.append(client.took)
    return sorted(took)[98]


@pytest_twisted.ensureDeferred
async def test_crawling_readers(twist_regproxy: Callable[..., Regproxy], record_property: Callable[[str, object], None]) -> None:
    """Each costs a bounded piece of memory whatever the size of the file, and others are served meanwhile."""
    upstream = FakeUpstream(reactor).start()

    def play() -> None:
        count = _most()
        limits = (
            f"[limits]\nconnections = {count + 100}\nconnectionsPerClient = {count + 100}\nstalledPerClient = {count + 100}\n"
        )
        regproxy = twist_regproxy(limits + peers.REGPROXY.format(url=upstream.url("").rstrip("/"), idle=60_000))
        scene = Scene(upstream, regproxy.port, SCALE, "readers", 1)
        large, small = scene.offer(data=scene.data(SCALE.size)), scene.offer(data=scene.data(4 * KIB))
        check_all_right([scene.get(large), scene.get(small)])
        before, quiet = regproxy.rss(), _p99(regproxy.port, small.path, small.data)
        clients = [Client(rate=1024.0 if FULL else 16384.0, leave_at=128 * KIB) for _ in range(count)]
        crawl = scene.beside(scene.crowd, large, clients, 900)
        while not all(client.got for client in clients):
            assert not crawl.done(), crawl.result()
            time.sleep(0.1)
        busy, grown = _p99(regproxy.port, small.path, small.data), regproxy.rss() - before
        figures = {"readers": count, "bytes each": grown // count, "p99 before": quiet, "p99 beside them": busy}
        for name, value in figures.items():
            record_property(name, value)
        for client in clients:
            client.leave_at = 0
        crawl.result()
        scene.forget()
        assert grown < count * PER_READER + ANYWAY, figures
        assert busy < 1.2 * quiet + NOISE, figures

    try:
        await deferToThread(play)
    finally:
        await upstream.stop()


@pytest_twisted.ensureDeferred
async def test_stalled_readers_of_a_cold_artifact(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Clients that stop reading while a large body comes in leave memory flat: what they miss is in the file."""
    upstream = FakeUpstream(reactor).start()

    def play() -> None:
        regproxy = twist_regproxy(peers.REGPROXY.format(url=upstream.url("").rstrip("/"), idle=60_000))
        scene = Scene(upstream, regproxy.port, SCALE, "stalled", 1)
        warm = scene.offer(data=scene.data(MIB))
        check_all_right(scene.crowd(warm, [Client() for _ in range(10)]))
        before = regproxy.rss()
        item = scene.offer(data=scene.data(4 * SCALE.size if not FULL else SCALE.size))
        clients = [Client(stall_at=64 * KIB) for _ in range(10)]
        check_all_right(scene.crowd(item, [Client(), *clients]))
        assert scene.fetches(item) == 1
        grown = regproxy.peak_rss() - before
        scene.forget()
        assert grown < FLAT, f"{grown >> 20} MiB more"

    try:
        await deferToThread(play)
    finally:
        await upstream.stop()


TWO = """
[[repository]]
key = "one"
rclass = "remote"
packageType = "docker"
url = "{one}"

[[repository]]
key = "two"
rclass = "remote"
packageType = "docker"
url = "{two}"
"""


@pytest_twisted.ensureDeferred
async def test_one_digest_in_two_repositories(twist_regproxy: Callable[..., Regproxy]) -> None:
    """One blob; each repository shows it only after its own upstream has said that it is there."""
    one, two = FakeUpstream(reactor).start(), FakeUpstream(reactor).start()

    def play() -> None:
        regproxy = twist_regproxy(TWO.format(one=one.url("").rstrip("/"), two=two.url("").rstrip("/")))
        scene = Scene(one, regproxy.port, SCALE, "shared", 1)
        item = scene.offer(data=scene.data(2 * MIB))
        rest = item.path.removeprefix("/v2")
        here, there = f"/v2/one{rest}", f"/v2/two{rest}"
        two.answers[item.path] = Script(b"no", 401)
        clients = [Client(path=path) for path in (here, there, here, there)]
        crowd.run(regproxy.port, here, item.data, clients, 30)
        assert [client.status for client in clients] == [200, 403, 200, 403]
        check_all_right([clients[0], clients[2]])
        two.answers[item.path] = scene.honest(item.data)
        again = [Client(path=there), Client(path=here)]
        crowd.run(regproxy.port, there, item.data, again, 30)
        check_all_right(again)
        blobs = [path for path in (regproxy.data_dir / "store" / "blobs").rglob("*/*/*") if path.is_file()]
        assert (len(blobs), one.count(item.path), two.count(item.path)) == (1, 1, 2)
        scene.forget()

    try:
        await deferToThread(play)
    finally:
        await one.stop()
        await two.stop()
