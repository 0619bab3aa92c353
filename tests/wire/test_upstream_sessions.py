"""TLS sessions with an upstream: taken up again, and forgotten with the files that they rest on."""

import socket
import ssl
from pathlib import Path
from threading import Thread

import pytest_twisted
from attrs import define, field
from twisted.internet import reactor

from tests.fakes.asking import get, upstream_for
from tests.fakes.certificates import Authority, Pair

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@define(eq=False)
class Server:
    """Answers one request on each connection, in a thread, and notes which of them took up a session."""

    pair: Pair
    reused: list[bool] = field(factory=list, init=False)
    _listening: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)), init=False)
    _context: ssl.SSLContext = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.pair.certificate, self.pair.key)
        Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            with plain, self._context.wrap_socket(plain, server_side=True) as wrapped:
                wrapped.recv(65536)
                self.reused.append(bool(wrapped.session_reused))
                wrapped.sendall(ANSWER)
                wrapped.unwrap()

    def close(self) -> None:
        """Listen no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest_twisted.ensureDeferred
async def test_taken_up_again(tmp_path: Path) -> None:
    """By every further connection; a new authority on the disk begins anew."""
    authority = Authority.make(tmp_path)
    server = Server(authority.server())
    upstream = upstream_for(reactor, server.url, ca_file=str(authority.path))
    try:
        for _ in range(3):
            assert await get(upstream, f"{server.url}/x") == (200, b"ok")
        authority.path.write_bytes(authority.path.read_bytes() + b"\n")
        assert await get(upstream, f"{server.url}/x") == (200, b"ok")
    finally:
        server.close()
        await upstream.close()
    assert server.reused == [False, True, True, False]
