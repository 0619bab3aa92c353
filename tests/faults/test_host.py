"""Rows 47 and 48 of the fault matrix: a process that may have little memory, and one that gets little of the processor."""

import hashlib
import http.client
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from attrs import frozen

from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.faults.conftest import FULL
from tests.wire.test_life import get

MEMORY = 256 << 20
CLIENTS = 200 if FULL else 100
SIZE = (64 if FULL else 8) << 20
ARTIFACTS = 24
PIECE = 64 << 10
HOGS = 4 * (os.cpu_count() or 1)
LIMITS = f"[limits]\nrequests = 60\nfills = 16\nconnectionsPerClient = {CLIENTS + 10}\n"


@frozen
class Outcome:
    """What one client saw."""

    status: int
    retry_after: str
    sha256: str


def slowly(regproxy: Regproxy, path: str, pause: float) -> Outcome:
    """GET an address, a piece at a time."""
    connection = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=120)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        digest = hashlib.sha256()
        while data := answer.read(PIECE):
            digest.update(data)
            time.sleep(pause)
        return Outcome(answer.status, answer.headers.get("retry-after", ""), digest.hexdigest())
    finally:
        connection.close()


def test_little_memory(twist_regproxy: Callable[..., Regproxy]) -> None:
    """With 256 MiB: more clients of more cold artifacts than are let in. Who is has every byte, others 503; nobody dies of it."""
    whole = random.Random(47).randbytes(SIZE + ARTIFACTS)
    contents = {f"/{number}": whole[number : number + SIZE] for number in range(ARTIFACTS)}
    names = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()}
    with serving(contents) as upstream, ThreadPoolExecutor(CLIENTS) as threads:
        regproxy = twist_regproxy(LIMITS + remote(upstream.url), memory=MEMORY)
        assert regproxy.process is not None
        process = regproxy.process.pid
        paths = [f"/{number % ARTIFACTS}" for number in range(CLIENTS)]
        asked = [threads.submit(slowly, regproxy, f"/files{path}", 0.02 * (number % 3)) for number, path in enumerate(paths)]
        found = [each.result() for each in asked]
        statuses = Counter(outcome.status for outcome in found)
        assert set(statuses) == {200, 503}, statuses
        for path, outcome in zip(paths, found, strict=True):
            if outcome.status == 200:
                assert outcome.sha256 == names[path]
            else:
                assert outcome.retry_after, "who is sent away is not told until when"
        assert regproxy.peak_rss() < MEMORY
        for path, name in names.items():
            assert slowly(regproxy, f"/files{path}", 0) == Outcome(200, "", name)
        assert (regproxy.process.pid, regproxy.process.poll()) == (process, None)
        assert "MemoryError" not in regproxy.log


@contextmanager
def hogs() -> Iterator[None]:
    """Processes that take all of the processor that they get."""
    with ExitStack() as stack:
        for _ in range(HOGS):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


def test_little_of_the_processor(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Beside four busy processes for each core: a kept connection is kept, and hits are not starved by a crowd of fills.

    What a hit takes is compared with what it took beside the busy processes alone; several are answered before the crowd has
    ended, and none waits for its end.
    """
    contents = {f"/{number}": random.Random(number).randbytes(SIZE // 2) for number in range(8)}
    with serving(contents | {"/small": b"x"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        assert get(regproxy, "/files/small") == (200, b"x")
        kept = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=120)
        kept.connect()
        own = kept.sock

        def hit() -> float:
            began = time.monotonic()
            kept.request("GET", "/files/small")
            answer = kept.getresponse()
            assert (answer.status, answer.read()) == (200, b"x")
            return time.monotonic() - began

        with hogs(), ThreadPoolExecutor(16) as threads:
            alone = [hit() for _ in range(50)]
            crowd = [threads.submit(get, regproxy, f"/files/{number % 8}") for number in range(16)]
            beside = []
            while not all(each.done() for each in crowd):
                beside.append(hit())
            for number, each in enumerate(crowd):
                assert each.result() == (200, contents[f"/{number % 8}"])
        assert len(beside) >= 8
        assert max(beside) < 0.8 * sum(beside), "a hit waits for the crowd"
        assert statistics.median(beside) < 10 * statistics.median(alone) + 1
        assert kept.sock is own
        kept.close()
        assert all(upstream.asked["GET", path] == 1 for path in contents)
