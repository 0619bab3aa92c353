"""Rows 40 and 45: what rots on the disk is never completed to a client; a broken index does not stop the server."""

import contextlib
import http.client
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_verify import blob_files, verify
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.wire.test_life import get

BODY = random.Random(40).randbytes(3 << 20)
WAIT = 30.0

Start = Callable[..., Regproxy]


def download(regproxy: Regproxy, headers: dict[str, str] | None = None) -> tuple[int, bytes, bool]:
    """Status, what came, and whether it ended as it had to."""
    connection = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=WAIT)
    connection.request("GET", "/files/a", headers=headers or {})
    try:
        answer = connection.getresponse()
    except ConnectionResetError:  # it takes along what was not read yet
        return 0, b"", False
    body, whole = bytearray(), True
    with contextlib.suppress(ConnectionResetError):
        try:
            while piece := answer.read1(64 << 10):
                body += piece
        except http.client.IncompleteRead:
            whole = False
    connection.close()
    return answer.status, bytes(body), whole and len(body) == int(answer.headers["Content-Length"])


def cache_of(regproxy: Regproxy) -> str:
    """Where the artifact would come from now."""
    connection = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=WAIT)
    connection.request("HEAD", "/files/a")
    origin = connection.getresponse().headers["X-Regproxy-Cache"]
    connection.close()
    return str(origin)


def rot(regproxy: Regproxy) -> None:
    """Turn one bit of the only blob, once its fill has landed."""
    deadline = time.monotonic() + WAIT
    while cache_of(regproxy) != "hit":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (path,) = blob_files(regproxy.data_dir)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(bytes([BODY[1000] ^ 1]))


def quarantined(regproxy: Regproxy) -> list[Path]:
    """What was put aside."""
    return list((regproxy.data_dir / "store" / "quarantine").iterdir())


@pytest.mark.parametrize("sendfile", ["auto", "off"])
def test_rot_is_never_completed(twist_regproxy: Start, sendfile: str) -> None:
    """Row 40, ``verifyReads = "always"``: a cut connection, then the right bytes by one more fetch; ranges are no way around."""
    with serving({"/a": BODY}) as upstream:
        store = '[store]\nverifyReads = "always"\n'
        regproxy = twist_regproxy(store + remote(upstream.url), server=f'sendfile = "{sendfile}"')
        assert (200, BODY, True) == download(regproxy)
        assert (200, BODY, True) == download(regproxy)
        rot(regproxy)
        assert not download(regproxy)[2]
        assert (200, BODY, True) == download(regproxy)
        assert (206, BODY[-10:], True) == download(regproxy, {"Range": "bytes=-10"})
        assert (1, 2) == (len(quarantined(regproxy)), upstream.asked["GET", "/a"])


def test_what_has_gone_is_fetched_anew_and_told(twist_regproxy: Start) -> None:
    """Row 40: somebody has removed the file of a blob."""
    with serving({"/a": BODY}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        download(regproxy)
        rot(regproxy)
        blob_files(regproxy.data_dir)[0].unlink()
        assert (200, BODY, True) == download(regproxy)
        assert upstream.asked["GET", "/a"] == 2
        assert regproxy.log.count("is missing, named by ('files:a',)") == 1
        assert b'regproxy_blobs_quarantined_total{why="missing"} 1.0' in get(regproxy, "/metrics")[1]


def test_the_end_of_what_is_rotten_is_not_served(twist_regproxy: Start) -> None:
    """Row 40: a range of the last bytes waits for the verdict on all of it."""
    with serving({"/a": BODY}) as upstream:
        regproxy = twist_regproxy('[store]\nverifyReads = "always"\n' + remote(upstream.url))
        download(regproxy)
        rot(regproxy)
        _, body, whole = download(regproxy, {"Range": "bytes=-10"})
        assert (b"", False) == (body, whole)


def test_the_scrub_finds_it(twist_regproxy: Start) -> None:
    """Row 40: within a cycle, without anybody's asking, and the next client is served from upstream."""
    with serving({"/a": BODY}) as upstream:
        store = '[store]\nverifyReads = "off"\nscrubRate = "100MiB"\nscrubPeriodHours = 0.0005\n'
        regproxy = twist_regproxy(store + remote(upstream.url))
        download(regproxy)
        rot(regproxy)
        deadline = time.monotonic() + WAIT
        while not quarantined(regproxy):
            assert time.monotonic() < deadline, regproxy.tail
            time.sleep(0.1)
        assert (200, BODY, True) == download(regproxy)
        assert "the scrub found blob" in regproxy.log


@pytest.mark.parametrize("fault", ["dd", "truncated", "deleted", "nonsense"])
def test_a_broken_index(twist_regproxy: Start, fault: str) -> None:
    """Row 45: the server starts all the same, says so, serves, and its store is in order."""
    with serving({"/a": BODY, "/b": b"small"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        download(regproxy)
        regproxy.terminate()
        path = regproxy.data_dir / "index.sqlite"
        match fault:
            case "dd":
                path.write_bytes(os.urandom(4096) + path.read_bytes()[4096:])
            case "truncated":
                os.truncate(path, 6000)
            case "deleted":
                path.unlink()
            case "nonsense":
                path.write_bytes(b"nonsense" * 1000)
        regproxy.start()
        assert ("the index is damaged" in regproxy.log) == (fault != "deleted")
        assert (200, BODY, True) == download(regproxy)
        assert get(regproxy, "/files/b") == (200, b"small")
        assert (2, 1) == (upstream.asked["GET", "/a"], upstream.asked["GET", "/b"])
        assert verify(regproxy.data_dir, "--strict")[0] == 0


def test_a_second_server_is_refused(twist_regproxy: Start, tmp_path: Path) -> None:
    """Row 45: two processes never open one index; the first one does not notice."""
    with serving({"/a": BODY}) as upstream:
        first = twist_regproxy(remote(upstream.url))
        second = Regproxy(tmp_path / "second", remote(upstream.url))
        second.folder.mkdir()
        (second.folder / "data").symlink_to(first.data_dir)
        second.start(ready=False)
        assert second.wait_end() == 3
        assert "another regproxy" in second.log
        assert (200, BODY, True) == download(first)
