"""Through an HTTP proxy: CONNECT for https, absolute URLs for http.

The proxy resolves names, so only literal addresses of targets can be checked there. The proxy is the configured one, or that of
HTTPS_PROXY, HTTP_PROXY and NO_PROXY, unless the remote has ``disableProxy``.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from urllib.request import (  # type: ignore[attr-defined] # typeshed does not know the second
    getproxies_environment,
    proxy_bypass_environment,
)

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import Configuration, RepositorySettings
from regproxy.upstream.failures import translate, was_cancelled
from regproxy.upstream.origin import Origin

MAX_HEAD = 16 << 10
_OPEN = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9](?: |\r?\n)")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_END = re.compile(rb"\r?\n\r?\n")


@frozen
class Via:
    """A proxy, and who we are to it."""

    origin: Origin
    authorization: str | None = None

    @classmethod
    def of(cls, url: str, username: str = "", password: str = "") -> Self:
        """Read a proxy's URL; user and password may stand in it.

        Raises:
            RegproxyError: INVALID.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            origin = Origin.of(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/")
        except RegproxyError as error:
            raise RegproxyError(Kind.INVALID, "a proxy has an address that is none") from error
        if origin.scheme != "http":
            raise RegproxyError(Kind.INVALID, f"proxy {origin}: only http:// proxies are known")
        username = username or unquote(parts.username or "")
        password = password or unquote(parts.password or "")
        if not username:
            return cls(origin)
        return cls(origin, "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii"))


@frozen
class Proxies:
    """Which proxy leads to a host."""

    _fixed: Via | None = None
    _environment: Mapping[str, str] = {}

    @classmethod
    def of(cls, settings: RepositorySettings, configuration: Configuration) -> Self:
        """Read the settings, and else the environment.

        Raises:
            RegproxyError: INVALID, for a proxy that nobody declared or that has no usable address.
        """
        if settings.disable_proxy:
            return cls()
        if not settings.proxy:
            return cls(None, getproxies_environment())
        found = [proxy for proxy in configuration.proxy if proxy.key == settings.proxy]
        if not found:
            raise RegproxyError(Kind.INVALID, f"there is no proxy {settings.proxy!r}")
        return cls(Via.of(found[0].url, found[0].username, found[0].password))

    def to(self, origin: Origin) -> Via | None:
        """The proxy for a target; None: go there directly."""
        url = self._environment.get(origin.scheme)
        if self._fixed is not None or not url:
            return self._fixed
        if proxy_bypass_environment(str(origin), dict(self._environment)):
            return None
        return Via.of(url)


class Opening(Protocol):
    """Asks the proxy for a tunnel, and is the wire of what goes through it from then on."""

    def __init__(self, via: Via, target: Origin, factory: IProtocolFactory, opened: "Deferred[IProtocol]") -> None:
        self._via = via
        self._target = target
        self._factory = factory
        self._opened: Deferred[IProtocol] | None = opened
        self._head = b""
        self._inner: Any = None

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Ask."""
        proof = f"Proxy-Authorization: {self._via.authorization}\r\n" if self._via.authorization else ""
        request = f"CONNECT {self._target} HTTP/1.1\r\nHost: {self._target}\r\n{proof}\r\n"
        self._wire.write(request.encode("ascii"))

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Wait for the proxy's answer; then pass on."""
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        end = _END.search(self._head)
        if end is None and len(self._head) < MAX_HEAD:
            return
        if end is None or not _OPEN.match(self._head):
            status = _STATUS.match(self._head)
            answer = status[1].decode() if status else "something that is not HTTP"
            self._fail(RegproxyError(Kind.UPSTREAM_DOWN, f"proxy {self._via.origin} answered {answer} for {self._target}"))
            return
        rest, self._head = self._head[end.end() :], b""
        self._open(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Pass on."""
        if self._inner is not None:
            self._inner.connectionLost(reason)
        else:
            self._fail(RegproxyError(Kind.UPSTREAM_DOWN, f"proxy {self._via.origin} closed the connection"))

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self._opened = None
        if self.transport is not None:
            self._wire.abortConnection()

    @property
    def _wire(self) -> Any:
        return self.transport

    def _open(self, rest: bytes) -> None:
        opened, self._opened = self._opened, None
        self._inner = self._factory.buildProtocol(self._wire.getPeer())
        self._inner.makeConnection(self._wire)
        if opened is not None:
            opened.callback(self._inner)
        if rest:
            self._inner.dataReceived(rest)

    def _fail(self, error: RegproxyError) -> None:
        opened, self._opened = self._opened, None
        if self.transport is not None:
            self._wire.abortConnection()
        if opened is not None:
            opened.errback(error)


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Tunnel:
    """An endpoint behind a proxy."""

    _proxy: IStreamClientEndpoint
    _via: Via
    _target: Origin

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - Twisted's name
        """Connect to the proxy and have it connect to the target."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        opened: Deferred[IProtocol] = Deferred(lambda _: opening.leave())
        opening = Opening(self._via, self._target, factory, opened)
        try:
            await self._proxy.connect(Once(opening))
        except Exception as error:
            if was_cancelled(error):
                raise CancelledError from error
            raise translate(f"proxy {self._via.origin}", error) from error
        return await opened


class Once(ClientFactory):
    """Hands out the one protocol that there is."""

    noisy = False

    def __init__(self, made: Protocol) -> None:
        self._made = made

    def buildProtocol(self, _addr: object) -> Protocol:  # noqa: N802 - Twisted's name
        """It."""
        return self._made


@implementer(IAgent)
@define(eq=False)
class Proxied:
    """An agent that sends plain http through a proxy where there is one; https goes through a tunnel, by its endpoint."""

    _direct: Agent
    _proxies: Proxies
    _make: Callable[[Via], ProxyAgent]
    _agents: dict[Via, ProxyAgent] = field(factory=dict, init=False)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803 - as above
    ) -> Deferred[IResponse]:
        """Send."""
        origin = Origin.of(uri.decode("ascii"))
        via = self._proxies.to(origin) if origin.scheme == "http" else None
        if via is None:
            return self._direct.request(method, uri, headers, bodyProducer)
        if via not in self._agents:
            self._agents[via] = self._make(via)
        sent = Headers() if headers is None else headers.copy()
        if via.authorization:
            sent.setRawHeaders(b"proxy-authorization", [via.authorization.encode("ascii")])
        answer: Deferred[IResponse] = self._agents[via].request(method, uri, sent, bodyProducer)
        return answer
