"""A real process: killed in the middle of a fill, told to reload, asked what it is doing."""

import http.client
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy

SIZE = 32 << 20
DATA = random.Random(4).randbytes(SIZE)


def get(regproxy: Regproxy, path: str) -> tuple[int, bytes]:
    """GET an address."""
    connection = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Poll; fails when it does not come true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_listening(path: Path) -> bool:
    """Whether somebody listens at a UNIX socket: its file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def test_killed_in_a_fill(twist_regproxy: Callable[..., Regproxy]) -> None:
    """After a kill -9 no partial file is a hit, its space is free, and the next request is right."""
    with serving({"/big": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        spool = regproxy.data_dir / "store" / "spool"
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", regproxy.port)) as client:
                client.sendall(b"GET /files/big HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_until(lambda: any(file.stat().st_size > 0 for file in spool.iterdir()))
                regproxy.restart(kill=True)
            assert list(spool.iterdir()) == []
        assert get(regproxy, "/files/big") == (200, DATA)
        # Clients have the last byte before the row is written.
        wait_until(lambda: get(regproxy, "/files-cache/big")[0] == 200)
        regproxy.restart(kill=True)
        asked = upstream.asked["GET", "/big"]
        assert get(regproxy, "/files/big") == (200, DATA)
        assert upstream.asked["GET", "/big"] == asked


def test_an_unsynced_blob_that_was_damaged_is_fetched_again(twist_regproxy: Callable[..., Regproxy]) -> None:
    """After an unclean stop what may not have reached the disk is looked at before it is served."""
    with serving({"/big": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        assert get(regproxy, "/files/big") == (200, DATA)
        wait_until(lambda: get(regproxy, "/files-cache/big")[0] == 200)
        regproxy.kill9()
        (blob,) = (regproxy.data_dir / "store" / "blobs").rglob("*/*/*")
        blob.chmod(0o600)
        with blob.open("r+b") as file:
            file.truncate(SIZE // 2)
        regproxy.start()
        assert get(regproxy, "/files/big") == (200, DATA)


def test_reload(twist_regproxy: Callable[..., Regproxy]) -> None:
    """SIGHUP swaps the repositories; a configuration with mistakes changes nothing."""
    with serving({"/a": b"x" * 100}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        assert get(regproxy, "/files/a")[0] == 200
        regproxy.write_config(remote(upstream.url) + "\nnonsense = 1\n")
        regproxy.signal(signal.SIGHUP)
        wait_until(lambda: "nonsense" in regproxy.log)
        assert get(regproxy, "/files/a")[0] == 200
        regproxy.write_config(remote(upstream.url).replace('"files"', '"moved"'))
        regproxy.signal(signal.SIGHUP)
        wait_until(lambda: get(regproxy, "/moved/a")[0] == 200)
        assert get(regproxy, "/files/a")[0] == 404


def heeds_hangups(process: int) -> bool:
    """Whether it would live on."""
    caught = re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{process}/status").read_text())
    return caught is not None and bool(int(caught[1], 16) & 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hangup_before_it_serves(twist_regproxy: Callable[..., Regproxy], workers: int) -> None:
    """Does not end it, and is heeded when it does."""
    with serving({"/a": b"x" * 100}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url), server=f"workers = {workers}", ready=False)
        assert regproxy.process is not None
        wait_until(partial(heeds_hangups, regproxy.process.pid))
        regproxy.signal(signal.SIGHUP)
        wait_until(lambda: "the configuration was reloaded" in regproxy.log, 60)
        assert get(regproxy, "/files/a") == (200, b"x" * 100)


def test_what_a_reload_replaces_goes_on(twist_regproxy: Callable[..., Regproxy]) -> None:
    """A fill of a repository that a reload has replaced is still listed, and is parked at the end like any other."""
    with serving({"/big": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        upstream.hold.clear()
        with socket.create_connection(("127.0.0.1", regproxy.port)) as client:
            client.sendall(b"GET /files/big HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: fills(regproxy) > 0)
            regproxy.write_config(remote(upstream.url, "socketTimeoutMillis = 50000"))
            regproxy.signal(signal.SIGHUP)
            wait_until(lambda: "the configuration was reloaded" in regproxy.log)
            assert fills(regproxy) > 0
        regproxy.restart()
        upstream.hold.set()
        assert get(regproxy, "/files/big") == (200, DATA)
        whole, rest = upstream.ranges["/big"]
        assert (whole, bool(rest)) == (None, True)


def fills(regproxy: Regproxy) -> int:
    """Bytes that the live fills have brought."""
    command = [sys.executable, "-m", "regproxy", "fetches", "--json", "--data-dir", str(regproxy.data_dir)]
    shown = subprocess.run(command, capture_output=True, check=True, text=True, timeout=30).stdout
    return sum(fill["received"] for fill in json.loads(shown))


def test_it_shows_what_it_does(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Probes, metrics and the access log, by the addresses that operators use."""
    with serving({"/a": b"x" * 100}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        for path in ("/livez", "/readyz", "/startupz", "/artifactory/api/system/ping"):
            assert get(regproxy, path)[0] == 200
        get(regproxy, "/files/a")
        get(regproxy, "/files/a")
        with urllib.request.urlopen(f"{regproxy.base_url}/metrics", timeout=10) as answer:
            page = answer.read().decode()
        assert 'regproxy_cache_requests_total{cache="hit",repository="files"} 1.0' in page
        wait_until(lambda: regproxy.log.count('"path":"/files/a"') == 2)
        entries = [json.loads(line) for line in regproxy.log.splitlines() if line.startswith('{"log":"request"')]
        assert [entry["cache"] for entry in entries if entry["path"] == "/files/a"] == ["fill", "hit"]


def test_the_companion_shows_what_is_held(twist_regproxy: Callable[..., Regproxy]) -> None:
    """``X-cache`` has what was fetched through ``X``, and nothing else."""
    with serving({"/a": b"x" * 100, "/b": b"y"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        assert get(regproxy, "/files-cache/a")[0] == 404
        get(regproxy, "/files/a")
        assert get(regproxy, "/files-cache/a") == (200, b"x" * 100)
        assert get(regproxy, "/files-cache/b")[0] == 404
        assert upstream.asked["GET", "/b"] == 0


def test_it_does_not_start(twist_regproxy: Callable[..., Regproxy]) -> None:
    """A port that is taken ends it, with a status that says so, and the next start is a start."""
    regproxy = twist_regproxy(remote("http://127.0.0.1:9"))
    regproxy.terminate()
    free = regproxy.port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        regproxy.port = taken.getsockname()[1]
        regproxy.start(ready=False)
        assert regproxy.wait_end() == 1
    assert "cannot start: Couldn't listen" in regproxy.log
    regproxy.port = free
    regproxy.start()
    assert regproxy.terminate() == 0
