"""Reloads and new certificates while clients are at work: nobody notices."""

import http.client
import random
import shutil
import signal
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from tests.fakes.certificates import Authority
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy, free_port

RELOADS = 20
DATA = random.Random(9).randbytes(200_000)


@define(eq=False)
class Hammer:
    """Threads that ask again and again, by new connections and by kept ones; ``failed`` says what went wrong."""

    ask: Callable[[http.client.HTTPConnection | None], http.client.HTTPConnection | None]
    failed: list[str] = field(factory=list)
    served: int = 0
    _ended: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)

    def start(self) -> "Hammer":
        """Begin."""
        self._threads = [threading.Thread(target=self._work) for _ in range(3)]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        kept = None
        while not self._ended.is_set():
            try:
                kept = self.ask(kept)
                self.served += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failed.append(repr(error))
                kept = None
        if kept is not None:
            kept.close()


def one_request(connection: http.client.HTTPConnection) -> None:
    """Ask, and compare."""
    connection.request("GET", "/files/a")
    answer = connection.getresponse()
    assert (answer.status, answer.read() == DATA) == (200, True)


def test_a_loop_of_reloads(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """SIGHUP after SIGHUP, each with another configuration and another certificate: not one request fails."""
    authority, port = Authority.make(tmp_path), free_port()
    pairs = [authority.server(f"server{number}") for number in range(2)]
    for source, name in ((pairs[0].certificate, "live.crt"), (pairs[0].key, "live.key")):
        shutil.copy(source, tmp_path / name)
    listener = (
        f'[[server.listener]]\naddress = "127.0.0.1:{port}"\ncertificate = "{tmp_path}/live.crt"\nkey = "{tmp_path}/live.key"\n'
    )
    trust = ssl.create_default_context(cafile=str(authority.path))

    def kept(connection: http.client.HTTPConnection | None) -> http.client.HTTPConnection:
        connection = connection or http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=30)
        one_request(connection)
        return connection

    def anew(_: http.client.HTTPConnection | None) -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trust)
        try:
            one_request(connection)
        finally:
            connection.close()

    with serving({"/a": DATA}) as upstream:
        regproxy = twist_regproxy(listener + remote(upstream.url))
        hammers = [Hammer(kept).start(), Hammer(anew).start()]
        try:
            for number in range(RELOADS):
                pair = pairs[number % 2]
                for source, name in ((pair.certificate, "live.crt"), (pair.key, "live.key")):
                    shutil.copy(source, tmp_path / "new")
                    (tmp_path / "new").rename(tmp_path / name)
                regproxy.write_config(listener + remote(upstream.url, f"socketTimeoutMillis = {60_000 + number}"))
                regproxy.signal(signal.SIGHUP)
                time.sleep(0.05)
        finally:
            for hammer in hammers:
                hammer.stop()
        assert [[], []] == [hammer.failed[:5] for hammer in hammers]
        assert all(hammer.served > RELOADS for hammer in hammers)
        assert "the configuration was reloaded" in regproxy.log
