"""How connections to upstreams are made: names, timeouts, read size, TLS, and the gate before the HTTP client.

A name is resolved once for a connection; where the target must be public, all its addresses are checked, and the connection goes
to those that were checked. Twisted reads 64 KiB at a time, which makes it the bottleneck of large downloads; these connections
read more.
"""

from typing import Any

from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.client import URI, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from regproxy.stream.wide_tls import WideTLSEndpoint
from regproxy.upstream.gate import Gates, behind
from regproxy.upstream.origin import Origin
from regproxy.upstream.targets import CheckingReactor, CheckingResolver, Targets, refused
from regproxy.upstream.tunnel import Proxies, Tunnel, Via

READ_SIZE = 1 << 20
CONNECT_SECONDS = 15
IDLE_CONNECTIONS = 16
IDLE_SECONDS = 60


@implementer(IStreamClientEndpoint)
@define(eq=False)
class LargeReads:
    """Connects as the endpoint that it wraps, and reads more at a time."""

    _endpoint: IStreamClientEndpoint
    _size: int = READ_SIZE

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - Twisted's name
        """Connect."""
        return self._endpoint.connect(protocolFactory).addCallback(self._enlarge)

    def _enlarge(self, connection: Any) -> Any:
        connection.transport.bufferSize = self._size
        return connection


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Gated:
    """Connects with a gate before the HTTP client, and yields the client."""

    _endpoint: IStreamClientEndpoint
    _name: str

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - Twisted's name
        """Connect."""
        protocolFactory.noisy = False  # type: ignore[attr-defined] # of Twisted's own factory: no line in the log for each connection
        gates = Gates(protocolFactory)
        gates.name = self._name
        return self._endpoint.connect(gates).addCallback(behind)


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Checked:
    """Connects as the endpoint that it wraps, and says so if that failed because no address was allowed."""

    _endpoint: IStreamClientEndpoint
    _resolver: CheckingResolver
    _origin: Origin

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - Twisted's name
        """Connect."""
        return self._endpoint.connect(protocolFactory).addErrback(self._explain)

    def _explain(self, failure: Failure) -> Failure:
        return Failure(refused(self._origin)) if self._resolver.refused else failure


@implementer(IAgentEndpointFactory)
@frozen(eq=False)
class Connector:
    """Makes the endpoints of one upstream, for Twisted's ``Agent``."""

    _reactor: Any
    _targets: Targets
    _policy: IPolicyForHTTPS
    _proxies: Proxies
    _local_address: str = ""
    _timeout: int = CONNECT_SECONDS
    _read_size: int = READ_SIZE

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802 - Twisted's name
        """An endpoint that leads to where a URL says."""
        host = uri.host.decode("ascii")
        origin = Origin(uri.scheme.decode("ascii"), host, uri.port)
        via = self._proxies.to(origin)
        endpoint = self._plain(origin) if via is None else self._tunnel(via, origin)
        if origin.scheme == "https":
            endpoint = WideTLSEndpoint(self._policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return Gated(endpoint, str(origin))

    def _plain(self, origin: Origin) -> IStreamClientEndpoint:
        if self._targets.named(origin):
            return LargeReads(self._by_name(self._reactor, origin), self._read_size)
        resolver = CheckingResolver(self._reactor, self._targets)
        endpoint = self._by_name(CheckingReactor(self._reactor, resolver), origin)
        return LargeReads(Checked(endpoint, resolver, origin), self._read_size)

    def to_proxy(self, via: Via) -> IStreamClientEndpoint:
        """An endpoint that leads to a proxy, for plain http."""
        return Gated(LargeReads(self._by_name(self._reactor, via.origin), self._read_size), f"proxy {via.origin}")

    def _tunnel(self, via: Via, origin: Origin) -> IStreamClientEndpoint:
        return LargeReads(Tunnel(self._by_name(self._reactor, via.origin), via, origin), self._read_size)

    def _by_name(self, reactor: Any, origin: Origin) -> IStreamClientEndpoint:
        bind = self._local_address or None
        return HostnameEndpoint(reactor, origin.host, origin.port, timeout=self._timeout, bindAddress=bind)


def make_pool(reactor: Any) -> HTTPConnectionPool:
    """Idle connections of one upstream; never shared: a pool knows nothing of client certificates and checked addresses."""
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = IDLE_CONNECTIONS
    pool.cachedConnectionTimeout = IDLE_SECONDS
    return pool
