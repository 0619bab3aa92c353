"""TLS in large pieces, against Twisted's own TLS on the other side."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from regproxy.stream import wide_tls
from regproxy.stream.wide_tls import WideTLS, WideTLSEndpoint, WideTLSFactory
from tests.fakes.certificates import Authority, Pair

BODY = os.urandom(3 << 20)


class Talk(Protocol):
    """Collects what comes and tells how it ended."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.begun: Deferred[Talk] = Deferred()
        self.ended: Deferred[BaseException | None] = Deferred()

    @property
    def wire(self) -> Any:
        """The transport."""
        return self.transport

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """It is there, though the handshake may not be over."""
        self.begun.callback(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """More."""
        self.got.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """The end."""
        self.ended.callback(reason.value)


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    """Contexts of one version of TLS."""

    def __init__(self, pair: Pair, version: int) -> None:
        self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self.context.set_max_proto_version(version)
        self.context.use_certificate_chain_file(str(pair.certificate))
        self.context.use_privatekey_file(str(pair.key))

    def serverConnectionForTLS(self, _: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802 - Twisted's name
        """One."""
        return SSL.Connection(self.context, None)


class Scene:
    """A listening side, and how to connect to it."""

    def __init__(self, folder: Path, server: type[TLSMemoryBIOFactory], version: int) -> None:
        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

        self.reactor: Any = reactor
        authority = Authority.make(folder)
        self.trusted = authority.path
        self.accepted: Deferred[Talk] = Deferred()
        inner = Factory.forProtocol(self._accept)
        inner.noisy = False
        creator: Any = Creator(authority.server(), version)
        outer: Any = server(creator, False, inner)  # noqa: FBT003 - Twisted's signature
        self.port: Any = self.reactor.listenTCP(0, outer, interface="127.0.0.1")

    def _accept(self) -> Talk:
        talk = Talk()
        talk.begun.addCallback(self.accepted.callback)
        return talk

    async def connect(self) -> tuple[Talk, Talk]:
        """Our client, and what it has reached."""
        from twisted.internet.ssl import Certificate, trustRootFromCertificates  # noqa: PLC0415 - as the reactor

        root = trustRootFromCertificates([Certificate.loadPEM(self.trusted.read_bytes())])
        options = optionsForClientTLS("localhost", trustRoot=root)
        factory = Factory.forProtocol(Talk)
        factory.noisy = False
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.port.getHost().port)
        talk: Any = await WideTLSEndpoint(options, endpoint).connect(factory)
        return talk, await self.accepted


@pytest.fixture(params=[(TLSMemoryBIOFactory, SSL.TLS1_2_VERSION), (TLSMemoryBIOFactory, 0), (WideTLSFactory, 0)])
def scene(request: Any, tmp_path: Path) -> Iterator[Scene]:
    """Twisted's own server under either version, and ours."""
    made = Scene(tmp_path, *request.param)
    yield made
    pytest_twisted.blockon(made.port.stopListening())


async def whole(talk: Talk, size: int, reactor: Any) -> bytes:
    """Wait for so many bytes."""
    while sum(map(len, talk.got)) < size:
        turn: Deferred[None] = Deferred()
        reactor.callLater(0.001, turn.callback, None)
        await turn
    return b"".join(talk.got)


@pytest_twisted.ensureDeferred
async def test_bodies_both_ways(scene: Scene) -> None:
    """Every byte arrives, whatever the sizes of the writes; what is written before the handshake too."""
    ours, theirs = await scene.connect()
    ours.wire.write(BODY)
    for start in range(0, len(BODY), 100_001):
        theirs.wire.write(BODY[start : start + 100_001])
    assert await whole(theirs, len(BODY), scene.reactor) == BODY
    assert await whole(ours, len(BODY), scene.reactor) == BODY
    ours.wire.loseConnection()
    await ours.ended
    await theirs.ended


@pytest_twisted.ensureDeferred
async def test_records_come_together(scene: Scene) -> None:
    """Records of 16 KiB that arrive together are handed on together."""
    ours, theirs = await scene.connect()
    theirs.wire.write(BODY)
    await whole(ours, len(BODY), scene.reactor)
    assert max(map(len, ours.got)) > 16384
    ours.wire.loseConnection()
    await ours.ended
    await theirs.ended


@pytest_twisted.ensureDeferred
async def test_more_than_is_handed_on_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that has more records than that, or just as many, is gone on with; nothing ends there."""
    monkeypatch.setattr(wide_tls, "RECORDS", 1)
    ours, theirs = await scene.connect()
    theirs.wire.write(BODY)
    assert await whole(ours, len(BODY), scene.reactor) == BODY
    ours.wire.loseConnection()
    assert isinstance(await ours.ended, ConnectionDone)
    ours.wire.write(b"late")  # to nobody
    await theirs.ended


@pytest_twisted.ensureDeferred
async def test_a_close_comes_behind_all_that_was_written(scene: Scene) -> None:
    """Clean for the one who waits for it, and nothing is cut off."""
    ours, theirs = await scene.connect()
    theirs.wire.write(BODY)
    theirs.wire.loseConnection()
    reason = await ours.ended
    assert (b"".join(ours.got) == BODY, type(reason)) == (True, ConnectionDone)
    await theirs.ended


@pytest_twisted.ensureDeferred
async def test_a_cut_is_no_close(scene: Scene) -> None:
    """Without the alert that TLS ends with, nobody takes the end for one."""
    ours, theirs = await scene.connect()
    theirs.wire.write(b"part")
    await whole(ours, 4, scene.reactor)
    theirs.wire.abortConnection()
    reason = await ours.ended
    assert isinstance(reason, ConnectionLost | SSL.Error)
    await theirs.ended


def test_what_is_overridden() -> None:
    """Twisted still has these, and we override no more."""
    ours = {name for name in vars(WideTLS) if name.startswith("_") and hasattr(TLSMemoryBIOProtocol, name)}
    ours = {name for name in ours if not name.startswith("__")}
    assert ours == {"_flushReceiveBIO", "_flushSendBIO", "_write"}
    for name in (*ours, "_bufferedWrite", "_shutdownTLS", "_tlsShutdownFinished"):
        assert callable(getattr(TLSMemoryBIOProtocol, name))
    assert (TLSMemoryBIOProtocol._lostTLSConnection, TLSMemoryBIOProtocol._aborted) == (False, False)
