"""The end of a server of several workers, and what its service manager hears: as of one process, for all of them together."""

import json
import os
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from tests.fakes.certificates import Authority
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy, free_port
from tests.fakes.workers import workers_of
from tests.wire.test_drain import DATA, SIZE, is_refused, open_stream, read_all
from tests.wire.test_life import get, wait_until

STREAMS = 12
PATIENT = "workers = 2\ndrainSeconds = 60"


def test_streams_of_all_workers_are_finished(two_workers: Callable[..., Regproxy]) -> None:
    """Slow clients get every byte, new ones are refused meanwhile, and the status is 0."""
    with serving({"/big": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url), PATIENT)
        streams = [open_stream(regproxy.port) for _ in range(STREAMS)]
        regproxy.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(regproxy.port))
        assert [len(DATA)] * STREAMS == [len(body) for body in map(read_all, streams) if body == DATA]
        assert regproxy.wait_end() == 0
        assert upstream.asked["GET", "/big"] == 1


def test_a_second_signal_ends_all(two_workers: Callable[..., Regproxy]) -> None:
    """At once, though a client of one of them has not taken what it asked for."""
    with serving({"/big": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url), PATIENT)
        stream = open_stream(regproxy.port)
        regproxy.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(regproxy.port))
        regproxy.signal(signal.SIGTERM)
        assert regproxy.wait_end() == 0
        assert len(read_all(stream)) < SIZE


def test_the_command(two_workers: Callable[..., Regproxy]) -> None:
    """``regproxy drain`` ends all workers, and says what they wait for."""
    with serving({"/big": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url), PATIENT)
        stream = open_stream(regproxy.port)

        assert regproxy.command("drain").stdout.startswith("draining: 1 responses")
        assert regproxy.command("drain", "--wait", "1").returncode == 1
        assert read_all(stream) == DATA
        assert regproxy.wait_end() == 0


def test_the_access_log_is_opened_anew(two_workers: Callable[..., Regproxy], tmp_path: Path) -> None:
    """SIGHUP is for every worker, also where the configuration has mistakes and nobody is replaced; no line is lost."""
    access, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    with serving({"/a": b"x"}) as upstream:
        repositories = f'[log]\naccessFile = "{access}"\n{remote(upstream.url)}'
        regproxy = two_workers(repositories)
        before = workers_of(regproxy)
        assert get(regproxy, "/files/a")[0] == 200
        wait_until(lambda: access.exists() and "/files/a" in access.read_text())
        access.rename(moved)
        regproxy.write_config(repositories + "\nnonsense = 1\n")
        regproxy.signal(signal.SIGHUP)
        wait_until(lambda: "nonsense" in regproxy.log)
        count = 20
        for _ in range(count):
            assert get(regproxy, "/files/a")[0] == 200

        def written() -> int:
            lines = [json.loads(line) for file in (moved, access) if file.exists() for line in file.read_text().splitlines()]
            return sum(line["path"] == "/files/a" for line in lines)

        wait_until(lambda: written() == count + 1)
        assert access.exists()
        assert workers_of(regproxy) == before


def test_tls_listeners_are_shared(two_workers: Callable[..., Regproxy], tmp_path: Path) -> None:
    """``[[server.listener]]`` is served by every worker, whoever is killed."""
    authority = Authority.make(tmp_path)
    pair, port = authority.server(), free_port()
    listener = f'[[server.listener]]\naddress = "127.0.0.1:{port}"\ncertificate = "{pair.certificate}"\nkey = "{pair.key}"\n'
    context = ssl.create_default_context(cafile=str(authority.path))

    def ask() -> bytes:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30), server_hostname="localhost") as client:
            client.sendall(b"GET /files/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            data = b""
            while part := client.recv(1 << 16):
                data += part
        return data.partition(b"\r\n\r\n")[2]

    with serving({"/a": DATA[:100_000]}) as upstream:
        regproxy = two_workers(listener + remote(upstream.url))
        for _ in range(8):
            assert ask() == DATA[:100_000]
        os.kill(min(workers_of(regproxy)), signal.SIGKILL)
        wait_until(lambda: regproxy.log.count(" serves (process ") == 3, 30)
        for _ in range(8):
            assert ask() == DATA[:100_000]
        assert upstream.asked["GET", "/a"] == 1
