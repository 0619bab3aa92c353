"""Sockets that are opened once and served by the endpoints of others: TCP, TLS and UNIX."""

import os
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor as installed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from regproxy.model.settings import Listener, Server
from regproxy.supervisor.ports import Ports, adopted
from tests.fakes.certificates import Authority

reactor = cast(PosixReactorBase, installed)

Connect = Callable[[], socket.socket]


class Greeting(Protocol):
    """Says something and leaves."""

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Do it."""
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


def greeted(connect: Connect) -> bytes:
    """Connect, and read what the other side says."""
    with connect() as sock:
        data = b""
        while part := sock.recv(100):
            data += part
        return data


def begin(server: Server, ports: Ports) -> list[IListeningPort]:
    """Serve on duplicates of the sockets, as a worker does on those that it inherits."""
    factory = Factory.forProtocol(Greeting)
    found: list[IListeningPort] = []
    for endpoint in adopted(reactor, server, [os.dup(descriptor) for descriptor in ports.descriptors()]):
        endpoint.listen(factory).addCallback(found.append)
    return found


def addresses(ports: Ports) -> list[Any]:
    """Where they listen."""
    found = []
    for descriptor in ports.descriptors():
        with socket.socket(fileno=os.dup(descriptor)) as looked_at:
            found.append(looked_at.getsockname())
    return found


@pytest_twisted.ensureDeferred
async def test_every_kind_of_port(tmp_path: Path) -> None:
    """Who connects while nobody accepts is served by the next who does; a worker that goes takes no port along."""
    authority = Authority.make(tmp_path)
    pair = authority.server()
    path = tmp_path / "socket"
    server = Server(
        listen=(
            "tcp:0:interface=127.0.0.1",
            f"unix:{path}:mode=640",
            f"ssl:0:interface=127.0.0.1:certKey={pair.certificate}:privateKey={pair.key}",
        ),
        listener=(Listener(address="127.0.0.1:0", certificate=str(pair.certificate), key=str(pair.key)),),
    )
    ports = Ports()
    await ports.open(reactor, server)
    tcp, _, ssl_text, tls = addresses(ports)
    context = ssl.create_default_context(cafile=str(authority.path))

    def unix() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        return sock

    ways: list[Connect] = [
        lambda: socket.create_connection(tcp),
        unix,
        lambda: context.wrap_socket(socket.create_connection(ssl_text), server_hostname="localhost"),
        lambda: context.wrap_socket(socket.create_connection(tls), server_hostname="localhost"),
    ]
    for _ in range(2):
        waiting = [deferToThread(greeted, way) for way in ways]
        serving = begin(server, ports)
        assert [await each for each in waiting] == [b"hello"] * len(ways)
        for port in serving:
            stopped = port.stopListening()
            assert stopped is not None
            await stopped
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    await ports.close()
    assert not path.exists()


@pytest_twisted.ensureDeferred
async def test_ours_are_closed_before_those_of_a_worker(tmp_path: Path) -> None:
    """He may be about to accept: there is nothing to accept, and no error."""
    ports = Ports()
    await ports.open(reactor, Server(listen=("tcp:0:interface=127.0.0.1", f"unix:{tmp_path}/socket")))
    theirs = [socket.socket(fileno=os.dup(descriptor)) for descriptor in ports.descriptors()]
    await ports.close()
    for each in theirs:
        with pytest.raises(BlockingIOError):
            each.accept()
        each.close()


@pytest_twisted.ensureDeferred
async def test_all_or_none(tmp_path: Path) -> None:
    """A port that cannot be had closes the others."""
    ports = Ports()
    taken = socket.create_server(("127.0.0.1", 0))
    wanted = Server(listen=(f"unix:{tmp_path}/socket", f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"))
    with pytest.raises(CannotListenError):
        await ports.open(reactor, wanted)
    assert ports.descriptors() == []
    assert not (tmp_path / "socket").exists()
    taken.close()


@pytest_twisted.ensureDeferred
async def test_what_systemd_opened_is_a_socket_like_others_to_a_worker() -> None:
    """Its description holds only in the process that systemd has started."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.setblocking(False)  # noqa: FBT003 - its signature
        (endpoint,) = adopted(reactor, Server(listen=("systemd:domain=INET:index=0",)), [os.dup(opened.fileno())])
        port = await endpoint.listen(Factory.forProtocol(Greeting))
        assert await deferToThread(greeted, lambda: socket.create_connection(opened.getsockname())) == b"hello"
        stopped = port.stopListening()
        assert stopped is not None
        await stopped
