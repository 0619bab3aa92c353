"""The upstream of one remote: connections of its own, credentials that stay at home, redirects that are looked at.

``ask`` goes: health, a connection slot, the request, redirects and challenges, the final answer. One deadline holds over all of
it. The slot is given back when the body has ended, or when there is none. The configured host is judged by the first answer to a
question, each host that a redirect leads to by its own.
"""

from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import TimeoutError as TwistedTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import Agent, HTTPConnectionPool, ProxyAgent
from twisted.web.iweb import IAgent

from regproxy.errors import Kind, RegproxyError
from regproxy.model.fetch import Hop
from regproxy.model.headers import Headers
from regproxy.model.settings import Configuration, RepositorySettings
from regproxy.telemetry.cause import CAUSE
from regproxy.upstream.auth import REFUSED, Credentials
from regproxy.upstream.exchange import Answer, send
from regproxy.upstream.health import Health, Hosts
from regproxy.upstream.interface import Question, Reply
from regproxy.upstream.limits import Slot, Slots
from regproxy.upstream.noted import Keep, Noting
from regproxy.upstream.origin import Origin, clean_url, with_query
from regproxy.upstream.redirect import discard, leads_on, next_url
from regproxy.upstream.source import Body
from regproxy.upstream.targets import Targets
from regproxy.upstream.tls import policy_for
from regproxy.upstream.transport import CONNECT_SECONDS, Connector, make_pool
from regproxy.upstream.tunnel import Proxied, Proxies

CLOSING_SECONDS = 2.0
UNAUTHORIZED = 401
PRIVATE_FIELDS = ("authorization", "proxy-authorization", "cookie", "cookie2")


@define(eq=False)
class Asking:
    """What is known of one question while it is on its way."""

    question: Question
    since: float
    entered: bool = False
    answered: bool = False
    sent: bool = False
    waits_for: str = ""
    timed_out: bool = False


@define(eq=False)
class HttpUpstream:
    """See ``Upstream``. Made by ``make_upstream``."""

    _clock: IReactorTime
    _settings: RepositorySettings
    _origin: Origin
    _targets: Targets
    _agent: IAgent
    _pool: HTTPConnectionPool
    _slots: Slots
    _hosts: Hosts
    _credentials: Credentials = field()
    _noting: Noting | None = None
    _passes_trace: bool = False

    @property
    def name(self) -> str:
        """See ``Upstream``."""
        return str(self._origin)

    @property
    def assumed_offline(self) -> bool:
        """See ``Upstream``."""
        return self._settings.offline or self._health.closed

    @property
    def doubtful(self) -> bool:
        """See ``Upstream``."""
        return self._settings.offline or self._health.doubtful

    @property
    def _health(self) -> Health:
        return self._hosts.of(self._origin)

    @property
    def connections(self) -> int:
        """Connections in use."""
        return self._slots.used

    async def close(self) -> None:
        """See ``Upstream``."""
        closing = self._pool.closeCachedConnections()
        closing.addTimeout(CLOSING_SECONDS, self._clock)
        # Over TLS the other side is asked to agree, and may not.
        closing.addErrback(lambda failure: failure.trap(TwistedTimeout))
        await closing

    async def ask(self, question: Question) -> Reply:
        """See ``Upstream``."""
        if self._settings.offline:
            raise RegproxyError(Kind.UPSTREAM_DOWN, f"{self.name} is set offline")
        asking = Asking(question, self._clock.seconds())
        if Origin.of(clean_url(question.url)) == self._origin:
            self._enter_home(asking)
        work = Deferred.fromCoroutine(self._ask(asking))

        def too_late() -> None:
            asking.timed_out = True
            work.cancel()

        timer = self._clock.callLater(question.patience, too_late)
        try:
            return await work
        except (CancelledError, RegproxyError):
            if not asking.timed_out:
                raise
            raise RegproxyError(
                Kind.UPSTREAM_SLOW, f"{asking.waits_for or self.name} sent no answer within {question.patience:g} s"
            ) from None
        finally:
            if timer.active():
                timer.cancel()

    async def _ask(self, asking: Asking) -> Reply:
        try:
            slot = await self._slots.take()
        except BaseException as error:
            self._judge(asking, error)
            raise
        try:
            hops, answer = await self._follow(asking)
        except BaseException as error:
            slot.release()
            self._judge(asking, error)
            raise
        return self._reply(hops, answer, slot)

    def _judge(self, asking: Asking, error: BaseException) -> None:
        """What a failure says about the configured host; that another one is down says nothing."""
        if asking.answered or not asking.entered:
            return
        if asking.sent:
            self._health.ended(error, asking.since, asking.question.url, timed_out=asking.timed_out)
        else:
            self._health.unknown()

    async def _follow(self, asking: Asking) -> tuple[list[Hop], Answer]:
        question = asking.question
        url = clean_url(question.url)
        hops: list[Hop] = []
        seen: list[str] = []
        while True:
            seen.append(url)
            answer = await self._authorized(asking, url)
            hops.append(answer.hop)
            if not leads_on(answer.hop) or (question.stops is not None and question.stops(answer.hop)):
                return hops, answer
            answer.end()
            discarded = discard(answer.response, self._clock)
            url = next_url(answer.hop, seen)
            if Origin.of(url) == Origin.of(answer.hop.url):
                await discarded

    async def _authorized(self, asking: Asking, url: str) -> Answer:
        """Send, and once more if the configured host wants another credential and there is one."""
        scope = asking.question.scope
        at_home = Origin.of(url) == self._origin
        credential = await self._credentials.known(scope) if at_home else self._credentials.fixed
        answer = await self._send(asking, url, credential)
        if answer.hop.status not in REFUSED or not at_home:
            return answer
        try:
            if answer.hop.status == UNAUTHORIZED:
                better = await self._credentials.challenged(answer.hop.headers, scope, credential)
            else:  # some registries call a credential that has expired forbidden
                better = await self._credentials.renewed(credential)
        except BaseException:  # an answer that nobody reads would keep its connection for ever
            answer.end()
            discard(answer.response, self._clock)
            raise
        if better is None:
            return answer
        answer.end()
        await discard(answer.response, self._clock)
        return await self._send(asking, url, better)

    async def _send(self, asking: Asking, url: str, credential: str | None) -> Answer:
        origin = Origin.of(url)
        self._targets.check(origin)
        at_home = origin == self._origin
        headers = asking.question.headers
        if at_home or self._settings.allow_any_host_auth:
            custom = (*self._correlation(), *((each.name, each.value) for each in self._settings.custom_http_headers))
            headers = headers.plus(*custom, *([("authorization", credential)] if credential else []))
        else:
            headers = headers.without(*PRIVATE_FIELDS)
        asking.waits_for = str(origin)
        if not at_home:
            return await self._send_abroad(asking, origin, url, headers)
        if not asking.entered:
            self._enter_home(asking)
        asking.sent = True
        answer = await send(
            self._agent, asking.question.method, with_query(url, self._settings.query_params), headers, self._noting
        )
        if not asking.answered:
            asking.answered = True
            self._health.answered()
        return answer

    def _correlation(self) -> "list[tuple[str, str]]":
        """By what our request is found in the upstream's logs."""
        cause = CAUSE.get()
        named = [("x-request-id", cause.request_id)] if cause.request_id else []
        return [*named, ("traceparent", cause.trace)] if self._passes_trace and cause.trace else named

    def _enter_home(self, asking: Asking) -> None:
        self._hosts.enter(self._origin)
        asking.entered = True

    async def _send_abroad(self, asking: Asking, origin: Origin, url: str, headers: Headers) -> Answer:
        """Send to a host that a redirect leads to; one that is down does not make every request wait for it."""
        health, since = self._hosts.enter(origin), self._clock.seconds()
        try:
            answer = await send(self._agent, asking.question.method, url, headers, self._noting)
        except BaseException as error:
            health.ended(error, since, url, timed_out=asking.timed_out)
            raise
        health.answered()
        return answer

    def _reply(self, hops: list[Hop], answer: Answer, slot: Slot) -> Reply:
        idle, name = self._settings.idle_seconds, hops[-1].url and str(Origin.of(hops[-1].url))
        body = Body(name, answer.length, answer.response, self._clock, idle, slot.release, answer.note)
        return Reply(tuple(hops), body)


def make_upstream(
    reactor: Any, settings: RepositorySettings, configuration: Configuration, keep: Keep | None = None
) -> HttpUpstream:
    """Make the upstream of one remote. Secrets are in ``settings`` already; ``keep`` has each exchange noted.

    Raises:
        RegproxyError: INVALID, for a url that is none and for certificate files that cannot be read.
    """
    try:
        origin = Origin.of(settings.url)
    except RegproxyError as error:
        raise RegproxyError(Kind.INVALID, f"repository {settings.key!r} has a url that is none") from error
    targets = Targets.of(origin, settings.allowed_hosts)
    policy = policy_for(settings, configuration, origin, targets)
    proxies = Proxies.of(settings, configuration)
    connector = Connector(reactor, targets, policy, proxies, settings.local_address, CONNECT_SECONDS)
    pool = make_pool(reactor)
    # Connections that show the old certificate are not used again.
    policy.changed = pool.closeCachedConnections
    agent = Proxied(
        Agent.usingEndpointFactory(reactor, connector, pool),
        proxies,
        lambda via: ProxyAgent(connector.to_proxy(via), reactor, pool),
    )
    hosts = Hosts(reactor, settings.assumed_offline_period_secs)
    noting = None if keep is None else Noting(settings.key, reactor, keep)
    credentials = Credentials.of(settings, origin, targets, reactor, agent, noting)
    traced = configuration.log.pass_trace
    slots = Slots.of(settings.max_connections, configuration.server.workers)
    return HttpUpstream(reactor, settings, origin, targets, agent, pool, slots, hosts, credentials, noting, traced)
