"""Connections that never come about, and the resolver between us and a name that changes."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHostnameResolver
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream.transport import CONNECT_SECONDS
from tests.fakes.asking import get, upstream_for
from tests.fakes.upstream import FakeUpstream, Script, redirect

REACTOR: Any = reactor


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that answers no SYN: its queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003 - as sockets take it
            each.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for each in waiting:
            each.close()


@pytest_twisted.ensureDeferred
async def test_black_hole(black_hole: int) -> None:
    """Patience ends a connection attempt too, and frees its slot; it counts as an outage."""
    url = f"http://127.0.0.1:{black_hole}/"
    upstream = upstream_for(reactor, url)
    with pytest.raises(RegproxyError) as caught:
        await get(upstream, url, patience=0.3)
    assert (caught.value.kind, upstream.connections, upstream.assumed_offline) == (Kind.UPSTREAM_SLOW, 0, True)


@pytest_twisted.ensureDeferred
async def test_connect_timeout(black_hole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patient askers learn after the connect timeout, which is fifteen seconds, that nobody is there."""
    assert CONNECT_SECONDS == 15
    url = f"http://127.0.0.1:{black_hole}/"
    monkeypatch.setattr("regproxy.upstream.client.CONNECT_SECONDS", 0.3)
    upstream = upstream_for(reactor, url)
    with pytest.raises(RegproxyError, match="in time") as caught:
        await get(upstream, url, patience=10.0)
    assert (caught.value.kind, upstream.assumed_offline) == (Kind.UPSTREAM_DOWN, True)


@implementer(IHostnameResolver)
class Flipping:
    """Says something else each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def resolveHostName(  # noqa: N802 - Twisted's name
        self,
        resolutionReceiver: Any,  # noqa: N803 - Twisted's name
        hostName: str,  # noqa: N803 - Twisted's name
        portNumber: int = 0,  # noqa: N803 - Twisted's name
        *rest: object,
    ) -> Any:
        """The next answer."""
        addresses = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        resolutionReceiver.resolutionBegan(None)
        for address in addresses:
            resolutionReceiver.addressResolved(IPv4Address("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("answers", [["127.0.0.2"], ["8.8.8.8", "127.0.0.2"], ["127.0.0.1", "127.0.0.2"], ["10.0.0.1"]])
async def test_a_name_with_a_private_address(answers: list[str]) -> None:
    """One address that is not public spoils the name; nobody is connected to."""
    home = FakeUpstream(reactor).start()
    sink = FakeUpstream(reactor, host="sink.test", interface="127.0.0.2").start()
    home.answers["/a"] = redirect(sink.url("/b"))
    upstream = upstream_for(reactor, home.url())
    before = REACTOR.nameResolver
    # The configured host, the sink, and the configured host again, whose addresses would do.
    resolver = Flipping(["127.0.0.1"], answers, ["127.0.0.1"])
    REACTOR.installNameResolver(resolver)
    try:
        with pytest.raises(RegproxyError, match="not public"):
            await get(upstream, home.url("/a"), patience=3.0)
    finally:
        REACTOR.installNameResolver(before)
    assert (resolver.asked, sink.connections) == (3, 0)
    await upstream.close()
    await home.stop()
    await sink.stop()


@pytest_twisted.ensureDeferred
async def test_the_address_that_was_checked() -> None:
    """A name is resolved once: what it says afterwards leads nowhere else."""
    home = FakeUpstream(reactor).start()
    other = FakeUpstream(reactor, {"/b": Script(b"here")}, host="other.test").start()
    home.answers["/a"] = redirect(other.url("/b"))
    upstream = upstream_for(reactor, home.url(), allowed_hosts=("127.0.0.1/32",))
    before = REACTOR.nameResolver
    resolver = Flipping(["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"])
    REACTOR.installNameResolver(resolver)
    try:
        assert await get(upstream, home.url("/a"), patience=3.0) == (200, b"here")
    finally:
        REACTOR.installNameResolver(before)
    assert (resolver.asked, other.requests[0].headers["host"]) == (2, f"other.test:{other.port}")
    await upstream.close()
    await home.stop()
    await other.stop()
