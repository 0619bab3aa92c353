"""``regproxy gc`` and ``regproxy cache`` as operators run them, beside a server with limits and without one."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.files import remote, serving
from tests.fakes.process import CHECKOUT, Regproxy
from tests.wire.test_life import get, wait_until

KIB = 1 << 10
FILES = {f"/{name}": random.Random(name).randbytes(100 * KIB) for name in "abcde"}


def run(data_dir: Path, *arguments: str) -> tuple[int, str]:
    """Status and output."""
    done = subprocess.run(
        [sys.executable, "-m", "regproxy", *arguments, "--data-dir", str(data_dir)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def is_cached(regproxy: Regproxy, path: str) -> bool:
    """By the companion."""
    return get(regproxy, f"/files-cache{path}")[0] == 200


def fetch(regproxy: Regproxy, *paths: str) -> None:
    """Fetch files, and wait until each is cached."""
    for path in paths:
        assert get(regproxy, f"/files{path}") == (200, FILES[path])
        wait_until(lambda: is_cached(regproxy, path))  # noqa: B023 - called before the next round


def test_limits_pins_and_purges(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Of a store for three files the pinned one and the two youngest stay; a purged one is fetched again."""
    with serving(FILES) as upstream:
        regproxy = twist_regproxy('[store]\nmaxBytes = "350KiB"\n' + remote(upstream.url))
        fetch(regproxy, "/a")
        assert run(regproxy.data_dir, "cache", "is-cached", "files/b")[0] == 1
        assert run(regproxy.data_dir, "cache", "pin", "files/a") == (0, "files/a: 1 nodes, 100.0 KiB, 1 pinned\n")
        fetch(regproxy, "/b", "/c", "/d")
        assert [True, False, True, True] == [is_cached(regproxy, path) for path in ("/a", "/b", "/c", "/d")]
        assert run(regproxy.data_dir, "cache", "unpin", "files") == (0, "files: 3 nodes, 300.0 KiB, 0 pinned\n")
        assert run(regproxy.data_dir, "cache", "purge", "files/c") == (0, "files/c: 1 nodes, 100.0 KiB\n")
        assert not is_cached(regproxy, "/c")
        fetch(regproxy, "/c")
        assert upstream.asked["GET", "/c"] == 2
        code, text = run(regproxy.data_dir, "cache", "purge", "/")
        assert (1, "expected REPOSITORY" in text) == (code, True)
        page = get(regproxy, "/metrics")[1].decode()
        assert 'regproxy_evictions_total{why="space"} 1.0' in page
        assert 'regproxy_evictions_total{why="purge"} 1.0' in page


def test_a_file_larger_than_its_repository_passes_through(twist_regproxy: Callable[..., Regproxy]) -> None:
    """It is served, not kept, and costs nobody his place."""
    with serving({**FILES, "/large": random.Random(1).randbytes(500 * KIB)}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url, 'maxBytes = "250KiB"'))
        fetch(regproxy, "/a", "/b")
        assert get(regproxy, "/files/large") == (200, upstream.contents["/large"])
        assert [True, True, False] == [is_cached(regproxy, path) for path in ("/a", "/b", "/large")]
        fetch(regproxy, "/c")
        assert [False, True, True] == [is_cached(regproxy, path) for path in ("/a", "/b", "/c")]


@pytest.mark.parametrize("arguments", [["gc"], ["gc", "--dry-run"], ["backup", "target"], ["verify"], ["db", "upgrade"]])
def test_a_folder_without_data(tmp_path: Path, arguments: list[str]) -> None:
    """Nothing is made there; least of all an empty index beside a store, all of which would be garbage."""
    blob = tmp_path / "store" / "blobs" / "sha256" / "00" / ("0" * 64)
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"precious")
    code, text = run(tmp_path, *arguments)
    assert (5 if arguments == ["verify"] else 1, True) == (code, "no regproxy data here" in text), text
    assert ["store"] == [path.name for path in tmp_path.iterdir()]
    assert blob.exists()


@pytest.mark.parametrize("running", [True, False])
def test_gc(twist_regproxy: Callable[..., Regproxy], *, running: bool) -> None:
    """A dry run tells and removes nothing; a real one does, by the server or without it."""
    with serving(FILES) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        fetch(regproxy, "/a")
        stray = regproxy.data_dir / "store" / "blobs" / "sha256" / "00" / ("0" * 64)
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(b"stray")
        if not running:
            regproxy.terminate()
        code, text = run(regproxy.data_dir, "gc", "--dry-run", "--json")
        assert (0, {"unnamed": 0, "strays": 1, "lost": 0, "bytes": 5, "dry": True}) == (code, json.loads(text))
        assert stray.exists()
        assert run(regproxy.data_dir, "gc") == (0, "5 B removed: 0 unnamed blobs, 1 stray files, 0 lost rows\n")
        assert not stray.exists()
        if not running:
            regproxy.start()
        assert is_cached(regproxy, "/a")
