"""Bodies of requests over TLS, where half a close is another thing."""

import hashlib
import random
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest_twisted
from twisted.internet.threads import deferToThread
from twisted.web.resource import IResource

from regproxy.listeners import TLSEndpoint
from regproxy.model.settings import Listener
from regproxy.web.catalog import Catalog
from regproxy.web.root import Root
from regproxy.web.site import ProxySite
from tests.fakes.certificates import Authority
from tests.fakes.gates import guard_of
from tests.fakes.site import reactor
from tests.fakes.taking import Taking

DATA = random.Random(6).randbytes(3 << 20)


async def ask(folder: Path, taking: Taking, work: Callable[[ssl.SSLSocket], Any]) -> Any:
    """Serve by TLS, and call with a connected client in a thread."""
    authority = Authority.make(folder)
    pair = authority.server()
    listener = Listener(address="127.0.0.1:0", certificate=str(pair.certificate), key=str(pair.key))
    site = ProxySite(Root(Catalog(guard_of()), {"t": cast(IResource, taking.resource())}, {}), reactor, lambda _: None)
    port: Any = await TLSEndpoint(reactor, listener).listen(site)
    context = ssl.create_default_context(cafile=str(authority.path))

    def talk() -> Any:
        with (
            socket.create_connection(("127.0.0.1", port.getHost().port), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            return work(client)

    try:
        return await deferToThread(talk)
    finally:
        await port.stopListening()


def head(path: str, length: int) -> bytes:
    """The head of a request."""
    return f"PUT /t/{path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest_twisted.ensureDeferred
async def test_bodies_over_tls(tmp_path: Path) -> None:
    """Two on one connection, by a consumer that pauses."""

    def work(client: ssl.SSLSocket) -> list[bytes]:
        found = []
        for _ in range(2):
            client.sendall(head("rest", len(DATA)) + DATA)
            found.append(client.recv(4096).rpartition(b"\r\n")[2])
        return found

    told = f"{len(DATA)} {hashlib.sha256(DATA).hexdigest()}".encode()
    assert await ask(tmp_path, Taking(), work) == [told, told]


@pytest_twisted.ensureDeferred
async def test_early_answers_over_tls(tmp_path: Path) -> None:
    """A client that sends everything first finds the whole answer, and the end of the connection."""

    def work(client: ssl.SSLSocket) -> tuple[bytes, bytes]:
        client.sendall(head("refuse", len(DATA) * 9))
        for _ in range(8):
            client.sendall(DATA)
        answer = b""
        while data := client.recv(65536):
            answer += data
        return answer[:12], answer[-2:]

    assert await ask(tmp_path, Taking(), work) == (b"HTTP/1.1 401", b"\n}")
