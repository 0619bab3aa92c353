"""Rows 35 and 36 of the fault matrix, through a real process on a file system of its own: full, out of inodes, read-only.

Always the same outcome: the client has every byte, nothing of it is kept, hits are served, the process is ready though degraded,
and when the trouble is over it stores again by itself, with nothing left behind.
"""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.deploying import ask, local
from tests.fakes.files import remote
from tests.fakes.mounts import Volume, ext4, tmpfs
from tests.fakes.origin import Origin, origin
from tests.fakes.process import Regproxy
from tests.fakes.pushing import Client, images
from tests.fakes.registry_image import digest_of
from tests.wire.test_life import get, wait_until

MIB = 1 << 20
BIG = random.Random(5).randbytes(24 * MIB)
SMALL = b"small" * 1000
MAKERS = {"tmpfs": tmpfs, "ext4": ext4}


@pytest.fixture
def upstream() -> Iterator[Origin]:
    """Some files."""
    with origin({"/big": BIG, "/held": SMALL, "/small": SMALL[::-1], "/other": SMALL + b"!"}) as server:
        yield server


@pytest.fixture(params=list(MAKERS))
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Volume]:
    """64 MiB, on each kind of file system."""
    with MAKERS[request.param](tmp_path / "volume", 64 * MIB) as made:
        yield made


@pytest.fixture
def regproxy(volume: Volume, upstream: Origin, tmp_path: Path) -> Iterator[Regproxy]:
    """A server whose data is on the volume; it holds one file already. Stopped before the volume goes."""
    made = Regproxy(tmp_path / "server", local("own") + images() + remote(upstream.url))
    made.folder.mkdir()
    (made.folder / "data").symlink_to(volume.path / "data")
    (volume.path / "data").mkdir()
    made.start()
    assert get(made, "/files/held") == (200, SMALL)
    wait_until(lambda: is_cached(made, "/held"))
    try:
        yield made
    finally:
        made.close()


def is_cached(regproxy: Regproxy, path: str) -> bool:
    """Whether the companion has it."""
    return get(regproxy, f"/files-cache{path}")[0] == 200


def check_degraded(regproxy: Regproxy) -> None:
    """It says what is wrong, serves what it holds, and is not dead."""
    assert get(regproxy, "/files/held") == (200, SMALL)
    status, body = get(regproxy, "/readyz?verbose")
    assert (status, b"DEGRADED store" in body) == (200, True), body
    assert b"\nregproxy_store_trouble 1.0" in get(regproxy, "/metrics")[1]
    assert "the store is in trouble" in regproxy.log


def check_recovered(regproxy: Regproxy, upstream: Origin, path: str, data: bytes) -> None:
    """It stores again, by itself, and the spool is empty."""
    wait_until(lambda: b"ok store" in get(regproxy, "/readyz?verbose")[1], 30)
    assert get(regproxy, f"/files{path}") == (200, data)
    wait_until(lambda: is_cached(regproxy, path))
    asked = len(upstream.asked)
    assert get(regproxy, f"/files{path}") == (200, data)
    assert len(upstream.asked) == asked
    wait_until(lambda: spooled(regproxy) == [])


def spooled(regproxy: Regproxy) -> list[str]:
    """What is being written, or was left."""
    store = regproxy.data_dir / "store"
    return [str(file) for folder in ("spool", "moving") for file in (store / folder).iterdir()]


@pytest.mark.parametrize(
    ("volume", "leave", "chunked"),
    [("tmpfs", 0, True), ("tmpfs", MIB, False), ("ext4", 0, False)],
    indirect=["volume"],
)
def test_full_from_the_start(volume: Volume, regproxy: Regproxy, upstream: Origin, leave: int, *, chunked: bool) -> None:
    """Row 35, at start and at the WAL: not a byte is free, not even for a row of the index, or hardly any."""
    upstream.chunked = chunked
    volume.fill(leave)
    assert get(regproxy, "/files/big") == (200, BIG)
    assert get(regproxy, "/files/small") == (200, SMALL[::-1])
    check_degraded(regproxy)
    assert not is_cached(regproxy, "/big")
    volume.relieve()
    check_recovered(regproxy, upstream, "/big", BIG)


def test_full_in_the_middle(volume: Volume, regproxy: Regproxy, upstream: Origin) -> None:
    """Row 35, at 40 %: a body of unknown length has been spooled that far when the room is used up."""
    upstream.chunked = True
    at = len(BIG) * 2 // 5 // (64 << 10) * (64 << 10)
    gate = upstream.gates["/big", at] = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        clients = [pool.submit(get, regproxy, "/files/big") for _ in range(3)]
        wait_until(lambda: upstream.sent.get("/big", 0) >= at, 20)
        time.sleep(0.3)  # the last of it is on its way to the spool
        volume.fill()
        upstream.pause = 0.005  # whoever is further behind than the window is long is cut
        gate.set()
        assert [client.result() for client in clients] == [(200, BIG)] * 3
    upstream.pause = 0.0
    check_degraded(regproxy)
    wait_until(lambda: spooled(regproxy) == [])
    volume.relieve()
    check_recovered(regproxy, upstream, "/big", BIG)


@pytest.mark.parametrize("volume", ["tmpfs"], indirect=True)
def test_what_is_held_makes_room(volume: Volume, regproxy: Regproxy, upstream: Origin) -> None:
    """Row 35: before a body is not kept, what nobody used for longest goes; nobody notices."""
    upstream.contents["/more"] = BIG[::-1]
    upstream.contents["/most"] = BIG[1000:] + BIG[:1000]
    for path in ("/big", "/more", "/most"):
        assert get(regproxy, f"/files{path}") == (200, upstream.contents[path])
        wait_until(lambda: is_cached(regproxy, path))  # noqa: B023 - called before the next round
    assert not is_cached(regproxy, "/big")
    assert b"\nregproxy_store_trouble 0.0" in get(regproxy, "/metrics")[1]
    assert b'regproxy_evicted_bytes_total{why="space"}' in get(regproxy, "/metrics")[1]


OTHER = BIG[::-1]
LATER = BIG[1000:] + BIG[:1000]


def pieces(data: bytes) -> Iterator[bytes]:
    """A body whose length nobody says."""
    return (data[at : at + (64 << 10)] for at in range(0, len(data), 64 << 10))


@pytest.fixture
def full_of_cache(regproxy: Regproxy, upstream: Origin) -> Regproxy:
    """Most of the disk is taken by what is cached."""
    upstream.contents.update({"/more": OTHER, "/later": LATER})
    for path in ("/big", "/more"):
        assert get(regproxy, f"/files{path}")[0] == 200
        wait_until(lambda: is_cached(regproxy, path))  # noqa: B023 - called before the next round
    return regproxy


def check_well(regproxy: Regproxy) -> None:
    """Something has gone for what came, which is no trouble, and nothing is left behind."""
    metrics = get(regproxy, "/metrics")[1]
    assert b"\nregproxy_store_trouble 0.0" in metrics
    assert b'regproxy_evicted_bytes_total{why="space"}' in metrics
    assert not is_cached(regproxy, "/big")
    assert "in trouble" not in regproxy.log
    wait_until(lambda: spooled(regproxy) == [])


@pytest.mark.parametrize("volume", ["tmpfs"], indirect=True)
def test_what_is_cached_goes_for_a_fill_of_unknown_length(full_of_cache: Regproxy, upstream: Origin) -> None:
    """Row 35: as it grows."""
    upstream.chunked = True
    assert get(full_of_cache, "/files/later") == (200, LATER)
    wait_until(lambda: is_cached(full_of_cache, "/later"))
    check_well(full_of_cache)


@pytest.mark.parametrize("volume", ["tmpfs"], indirect=True)
def test_what_is_cached_goes_for_uploads_of_unknown_length(full_of_cache: Regproxy) -> None:
    """Row 35: as they grow; first a file, then a layer that comes in a piece of its own."""
    assert ask(full_of_cache, "PUT", "/own/x", pieces(LATER)).status == 201
    check_well(full_of_cache)
    assert get(full_of_cache, "/own/x") == (200, LATER)
    client, layer = Client(full_of_cache), LATER[::-1]
    sent = client.follow("PATCH", client.begin(), body=pieces(layer))
    assert sent.status == 202
    assert client.follow("PUT", sent, f"?digest={digest_of(layer)}").status == 201
    assert client.ask("GET", f"blobs/{digest_of(layer)}").body == layer
    check_well(full_of_cache)


@pytest.mark.parametrize("volume", ["tmpfs"], indirect=True)
def test_nothing_is_left_of_uploads_without_room(regproxy: Regproxy, volume: Volume) -> None:
    """Row 35: all that may go has gone; nobody can go on with a layer that there is no room for; the database has its own."""
    volume.fill(12 * MIB)
    client = Client(regproxy)
    refused = ask(regproxy, "PUT", "/own/x", pieces(LATER))
    assert (refused.status, spooled(regproxy)) == (507, [])
    begun = client.begin()
    refused = client.follow("PATCH", begun, body=pieces(LATER))
    assert (refused.status, spooled(regproxy)) == (507, [])
    assert client.follow("GET", begun).status == 404
    assert ask(regproxy, "PUT", "/own/small", SMALL).status == 201


def test_full_while_garbage_is_collected(volume: Volume, regproxy: Regproxy, upstream: Origin) -> None:
    """Row 35, during gc: what can be freed is freed although the database cannot grow."""
    assert get(regproxy, "/files/big") == (200, BIG)
    wait_until(lambda: is_cached(regproxy, "/big"))
    stray = regproxy.data_dir / "store" / "blobs" / "sha256" / "00" / ("0" * 64)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    volume.fill()
    command(regproxy, "gc")
    assert not stray.exists()
    assert get(regproxy, "/files/small") == (200, SMALL[::-1])
    wait_until(lambda: get(regproxy, "/files/small") == (200, SMALL[::-1]) and is_cached(regproxy, "/small"), 30)
    assert not is_cached(regproxy, "/big")


def command(regproxy: Regproxy, *arguments: str) -> str:
    """Run ``regproxy``; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "regproxy", *arguments, "--data-dir", str(regproxy.data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_inode(volume: Volume, regproxy: Regproxy, upstream: Origin) -> None:
    """Row 36: room enough, but no file can be made."""
    volume.use_up_inodes()
    assert get(regproxy, "/files/big") == (200, BIG)
    assert get(regproxy, "/files/small") == (200, SMALL[::-1])
    check_degraded(regproxy)
    volume.relieve()
    check_recovered(regproxy, upstream, "/big", BIG)


@pytest.mark.parametrize("volume", ["ext4"], indirect=True)
def test_read_only(regproxy: Regproxy, volume: Volume, upstream: Origin) -> None:
    """Row 36: a file system that made itself read-only, as ext4 does after an error; mended while regproxy is down."""
    volume.break_down()
    assert get(regproxy, "/files/big") == (200, BIG)
    assert get(regproxy, "/files/small") == (200, SMALL[::-1])
    check_degraded(regproxy)
    regproxy.kill9()
    volume.mend()
    regproxy.start()
    check_recovered(regproxy, upstream, "/big", BIG)


@pytest.mark.parametrize("volume", ["ext4"], indirect=True)
def test_read_only_at_the_limit(regproxy: Regproxy, volume: Volume) -> None:
    """Rows 35 and 36: as above, when something would have to go for what comes, but cannot."""
    regproxy.terminate()
    regproxy.repositories = f'[store]\nmaxBytes = "{len(SMALL) + len(BIG)}"\n{regproxy.repositories}'
    regproxy.start()
    assert get(regproxy, "/files/big") == (200, BIG)
    wait_until(lambda: is_cached(regproxy, "/big"))
    volume.break_down()
    assert get(regproxy, "/files/small") == (200, SMALL[::-1])
    check_degraded(regproxy)
    regproxy.kill9()
    volume.mend()
    regproxy.start()


@pytest.mark.parametrize("volume", ["ext4"], indirect=True)
@pytest.mark.parametrize("workers", [1, 2])
def test_the_end_on_a_read_only_disk(volume: Volume, upstream: Origin, tmp_path: Path, workers: int) -> None:
    """Rows 36 and 44: a stream is finished, and everything is closed, though no name of a socket can be taken away."""
    made = Regproxy(tmp_path / "server", remote(upstream.url), f"drainSeconds = 60\nworkers = {workers}")
    made.folder.mkdir()
    (made.folder / "data").symlink_to(volume.path / "data")
    (volume.path / "data").mkdir()
    made.start()
    wait_until((made.data_dir / "control.sock").exists)  # all workers serve by then
    gate = upstream.gates["/big", 4 * MIB] = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(get, made, "/files/big")
        wait_until(lambda: upstream.sent.get("/big", 0) >= 4 * MIB, 20)
        volume.break_down()
        made.signal(signal.SIGTERM)
        wait_until(lambda: "Read-only file system" in made.log)
        gate.set()
        assert client.result() == (200, BIG)
    assert made.wait_end() == 0
    assert "Traceback" not in made.log, made.log
