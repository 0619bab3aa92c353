"""Through a proxy, over real sockets: CONNECT for https, absolute URLs for http."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import Configuration, Proxy
from tests.fakes.asking import get, upstream_for
from tests.fakes.certificates import Authority, ServerContext
from tests.fakes.upstream import FakeUpstream, Script

BODY = bytes(range(256)) * 2000


class Far(Protocol):
    """The proxy's connection to the target."""

    def __init__(self, near: "Near") -> None:
        self.near = near

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Back to the client."""
        self.near.wire.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """As on one side, so on the other."""
        self.near.wire.loseConnection()


class Near(Protocol):
    """A client's connection to a proxy that knows CONNECT; all requests are noted."""

    def __init__(self, heads: list[str], answer: bytes) -> None:
        self.heads = heads
        self.answer = answer
        self.buffer = b""
        self.far: Any = None

    @property
    def wire(self) -> Any:
        """The transport."""
        return self.transport

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """A request first, then whatever."""
        if self.far is not None:
            self.far.transport.write(data)
            return
        self.buffer += data
        if b"\r\n\r\n" not in self.buffer:
            return
        head = self.buffer.decode()
        self.heads.append(head)
        if b" 200 " not in self.answer:
            self.wire.write(self.answer)
            self.wire.loseConnection()
            return
        host, _, port = head.split(" ")[1].rpartition(":")
        far = Far(self)
        connecting = HostnameEndpoint(reactor, host, int(port)).connect(Factory.forProtocol(lambda: far))
        connecting.addCallbacks(self.open, lambda _: self.wire.loseConnection())

    def open(self, far: Any) -> None:
        """The tunnel stands."""
        self.far = far
        self.wire.write(self.answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """As on one side, so on the other."""
        if self.far is not None:
            self.far.transport.loseConnection()


class FakeProxy:
    """A proxy on loopback."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connected\r\nvia: fake\r\n\r\n") -> None:
        self.heads: list[str] = []
        loop: Any = reactor
        self._port = loop.listenTCP(0, Factory.forProtocol(lambda: Near(self.heads, answer)), interface="127.0.0.1")

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port.getHost().port}"

    def configuration(self) -> Configuration:
        """One that names it ``way``."""
        return Configuration(proxy=(Proxy(key="way", url=self.url, username="me", password="pw"),))

    async def stop(self) -> None:
        """Listen no more."""
        await self._port.stopListening()


@pytest_twisted.async_yield_fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeUpstream]:
    """A TLS upstream; its authority lies beside it."""
    authority = Authority.make(tmp_path)
    upstream = FakeUpstream(reactor, {"/x": Script(BODY)}, tls=ServerContext(authority.server())).start()
    yield upstream
    await upstream.stop()


@pytest_twisted.ensureDeferred
async def test_connect(fake: FakeUpstream, tmp_path: Path) -> None:
    """TLS goes through a tunnel, end to end, and the tunnel is used again; only the proxy learns who we are to it."""
    proxy = FakeProxy()
    upstream = upstream_for(reactor, fake.url(), proxy.configuration(), proxy="way", ca_file=str(tmp_path / "authority.pem"))
    assert (await get(upstream, fake.url("/x")), await get(upstream, fake.url("/x"))) == ((200, BODY), (200, BODY))
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{fake.port} HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6cHc=\r\n" in proxy.heads[0]
    assert "proxy-authorization" not in str(fake.requests).lower()
    await upstream.close()
    await proxy.stop()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Who?\r\n\r\n", b"SSH-2.0\r\n\r\n", b""])
async def test_refused(fake: FakeUpstream, answer: bytes) -> None:
    """A proxy that will not is an outage that names the proxy."""
    proxy = FakeProxy(answer)
    upstream = upstream_for(reactor, fake.url(), proxy.configuration(), proxy="way")
    with pytest.raises(RegproxyError, match="proxy 127") as caught:
        await get(upstream, fake.url("/x"), patience=5.0)
    assert (caught.value.kind, fake.connections, upstream.connections) == (Kind.UPSTREAM_DOWN, 0, 0)
    await proxy.stop()


@pytest_twisted.ensureDeferred
async def test_gone(fake: FakeUpstream) -> None:
    """A proxy that is not there is named too."""
    proxy = FakeProxy()
    upstream = upstream_for(reactor, fake.url(), proxy.configuration(), proxy="way")
    await proxy.stop()
    with pytest.raises(RegproxyError, match=r"proxy 127.*refuses connections"):
        await get(upstream, fake.url("/x"))


@pytest_twisted.ensureDeferred
async def test_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http is asked for by absolute URLs, at the proxy of the environment; NO_PROXY is obeyed."""
    proxy = FakeUpstream(reactor).start()
    proxy.answers["http://upstream.test/x"] = Script(b"by proxy")
    monkeypatch.setenv("http_proxy", f"http://me:p%20w@127.0.0.1:{proxy.port}")
    upstream = upstream_for(reactor, "http://upstream.test/", disable_proxy=False)
    assert await get(upstream, "http://upstream.test/x") == (200, b"by proxy")
    assert proxy.requests[0].headers["host"] == "upstream.test"
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6cCB3"
    await upstream.close()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    proxy.answers["/y"] = Script(b"directly")
    direct = upstream_for(reactor, proxy.url(), disable_proxy=False)
    assert await get(direct, proxy.url("/y")) == (200, b"directly")
    await direct.close()
    await proxy.stop()


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/", "ftp://127.0.0.1/", "http://"])
def test_mistakes(url: str) -> None:
    """A proxy that cannot be used is a mistake of the configuration."""
    configuration = Configuration(proxy=(Proxy(key="way", url=url),))
    for key in ("way", "unknown"):
        with pytest.raises(RegproxyError, match="proxy"):
            upstream_for(reactor, "https://127.0.0.1/", configuration, proxy=key)
