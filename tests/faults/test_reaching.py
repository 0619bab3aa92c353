"""Rows 24 and 28: names that do not resolve, address families that lead nowhere, and handshakes that never end."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from tests.fakes.asking import get, upstream_for
from tests.fakes.upstream import FakeUpstream, Script

REACTOR: Any = reactor


@implementer(IHostnameResolver)
class Names:
    """Knows what a test tells it; without addresses a name does not exist."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def resolveHostName(  # noqa: N802 - Twisted's name
        self,
        resolutionReceiver: Any,  # noqa: N803 - Twisted's name
        hostName: str,  # noqa: N803 - Twisted's name
        portNumber: int = 0,  # noqa: N803 - Twisted's name
        *rest: object,
    ) -> Any:
        """Say them."""
        resolutionReceiver.resolutionBegan(None)
        for address in self.addresses:
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()


@pytest.fixture
def names() -> Iterator[Names]:
    """In place of the resolver."""
    before, made = REACTOR.nameResolver, Names()
    REACTOR.installNameResolver(made)
    yield made
    REACTOR.installNameResolver(before)


@contextmanager
def full_queue(family: socket.AddressFamily, host: str, port: int = 0) -> Iterator[int]:
    """A port that answers no SYN, as behind a firewall that drops."""
    with socket.socket(family) as listening:
        listening.bind((host, port))
        listening.listen(0)
        waiting = [socket.socket(family) for _ in range(4)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003 - as sockets take it
            each.connect_ex(listening.getsockname()[:2])
        yield listening.getsockname()[1]
        for each in waiting:
            each.close()


@pytest_twisted.ensureDeferred
async def test_a_name_that_comes_and_goes(names: Names) -> None:
    """While it does not resolve upstream is down, which is not an absent artifact; then it is asked again."""
    fake = FakeUpstream(reactor, {"/x": Script(b"here", headers={"connection": "close"})}, host="mirror.test").start()
    upstream = upstream_for(reactor, fake.url(), assumed_offline_period_secs=0)
    names.addresses = ["127.0.0.1"]
    assert await get(upstream, fake.url("/x")) == (200, b"here")
    names.addresses = []
    with pytest.raises(RegproxyError, match="cannot be resolved") as caught:
        await get(upstream, fake.url("/x"))
    assert (caught.value.kind, upstream.doubtful, upstream.connections) == (Kind.UPSTREAM_DOWN, True, 0)
    names.addresses = ["127.0.0.1"]
    assert await get(upstream, fake.url("/x")) == (200, b"here")
    assert not upstream.doubtful
    await upstream.close()
    await fake.stop()


@pytest_twisted.ensureDeferred
async def test_ipv6_leads_nowhere(names: Names) -> None:
    """The other family is tried within two seconds, far below the timeout of a connection."""
    fake = FakeUpstream(reactor, {"/x": Script(b"here", headers={"connection": "close"})}, host="mirror.test").start()
    upstream = upstream_for(reactor, fake.url())

    async def seconds(*addresses: str) -> float:
        names.addresses = list(addresses)
        began = time.monotonic()
        assert await get(upstream, fake.url("/x")) == (200, b"here")
        return time.monotonic() - began

    quick = await seconds("127.0.0.1")
    with full_queue(socket.AF_INET6, "::1", fake.port):
        assert await seconds("::1", "127.0.0.1") < 2 + 3 * quick
    assert fake.connections == 2
    await upstream.close()
    await fake.stop()


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_never_ends() -> None:
    """A server that accepts and says nothing is given up when the patience ends, over TLS too; no slot is lost."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/x"
        upstream = upstream_for(reactor, url)
        with pytest.raises(RegproxyError) as caught:
            await get(upstream, url, patience=0.3)
        assert (caught.value.kind, upstream.connections, upstream.assumed_offline) == (Kind.UPSTREAM_SLOW, 0, True)
        await upstream.close()
