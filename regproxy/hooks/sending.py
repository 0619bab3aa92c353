"""Sends one letter: a POST over connections of the target's own, to addresses that may be connected to.

As with redirects of upstreams, only public addresses are, and those that ``allowedHosts`` names; a redirect is no answer. What is
sent has no credential but its signature.
"""

from io import BytesIO
from typing import Any, Protocol, Self

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import TimeoutError as TwistedTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, ProxyAgent
from twisted.web.iweb import IAgent

from regproxy.errors import Kind, RegproxyError
from regproxy.hooks.letters import headers_of
from regproxy.index.interface_outbox import Letter
from regproxy.model.headers import Headers
from regproxy.model.settings import Configuration, RepositorySettings, Webhook
from regproxy.upstream.exchange import send
from regproxy.upstream.origin import Origin, clean_url
from regproxy.upstream.redirect import discard
from regproxy.upstream.targets import Targets
from regproxy.upstream.tls import policy_for
from regproxy.upstream.transport import CONNECT_SECONDS, Connector, make_pool
from regproxy.upstream.tunnel import Proxied, Proxies

PATIENCE = 10.0
SUCCESS = range(200, 300)


class Send(Protocol):
    """Sends to one target."""

    async def __call__(self, letter: Letter) -> None:
        """Send; ``RegproxyError`` unless it was heard."""

    async def close(self) -> None:
        """Close what is idle."""


@define(eq=False)
class Sender:
    """Of one webhook."""

    _clock: IReactorTime
    _hook: Webhook
    _targets: Targets
    _agent: IAgent
    _pool: HTTPConnectionPool

    @classmethod
    def of(cls, reactor: Any, hook: Webhook, configuration: Configuration) -> Self:
        """By the configuration; ``RegproxyError`` (INVALID) for files that cannot be used."""
        origin = Origin.of(hook.url)
        targets = Targets.open(hook.allowed_hosts)
        way = RepositorySettings(
            key=hook.name, rclass="remote", url=hook.url, ca_file=hook.ca_file, proxy=hook.proxy, disable_proxy=hook.disable_proxy
        )
        policy, proxies = policy_for(way, configuration, origin, Targets.of(origin, ())), Proxies.of(way, configuration)
        connector, pool = Connector(reactor, targets, policy, proxies, "", CONNECT_SECONDS), make_pool(reactor)
        policy.changed = pool.closeCachedConnections
        plain = Agent.usingEndpointFactory(reactor, connector, pool)
        agent = Proxied(plain, proxies, lambda via: ProxyAgent(connector.to_proxy(via), reactor, pool))
        return cls(reactor, hook, targets, agent, pool)

    async def __call__(self, letter: Letter) -> None:
        """Send it."""
        sending = Deferred.fromCoroutine(self._send(letter))
        sending.addTimeout(PATIENCE, self._clock)
        try:
            await sending
        except TwistedTimeout:
            raise RegproxyError(Kind.UPSTREAM_SLOW, f"sent no answer within {PATIENCE:g} s") from None

    async def _send(self, letter: Letter) -> None:
        url = clean_url(self._hook.url)
        self._targets.check(Origin.of(url))
        headers = Headers(tuple(headers_of(letter.name, letter.body, self._hook.secret, self._clock.seconds()).items()))
        try:
            answer = await send(self._agent, "POST", url, headers, body=FileBodyProducer(BytesIO(letter.body)))
        except CancelledError:
            raise RegproxyError(Kind.UPSTREAM_SLOW, "was given up") from None
        await discard(answer.response, self._clock)
        if answer.hop.status not in SUCCESS:
            raise RegproxyError(Kind.UPSTREAM_BAD, f"answered {answer.hop.status}")

    async def close(self) -> None:
        """Close idle connections."""
        closing = self._pool.closeCachedConnections()
        closing.addTimeout(1.0, self._clock)
        closing.addErrback(lambda failure: failure.trap(TwistedTimeout))
        await closing
