"""Who we are to an upstream: Basic, Bearer, and the token flow of registries.

A token is asked for once, however many requests want it, kept by realm, service and scope, and renewed when 85 % of its time are
over. One that the upstream refuses is thrown away and asked for once more. Realms that are not the upstream's get nothing.
"""

import json
from base64 import b64encode
from typing import Self

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import TimeoutError as TwistedTimeout
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.iweb import IAgent

from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.stream.spawn import spawn
from regproxy.upstream.challenge import Challenge, bearer_challenge, is_trusted
from regproxy.upstream.exchange import send
from regproxy.upstream.noted import Noting
from regproxy.upstream.origin import Origin
from regproxy.upstream.source import Body
from regproxy.upstream.targets import Targets

PATIENCE = 30.0
LARGEST = 64 << 10
LIFETIME = 60.0
USED = 0.85
KEPT = 1000
OK = 200
SERVER_ERROR = 500


@frozen
class Token:
    """What a realm gave us; ``until`` in seconds of the reactor's clock."""

    value: str
    until: float

    @property
    def header(self) -> str:
        """As Authorization has it."""
        return f"Bearer {self.value}"


@define(eq=False)
class Collected:
    """A consumer of a small document; a larger one is dropped."""

    data: bytearray = field(factory=bytearray)
    _producer: IPushProducer | None = None

    def start(self, producer: IPushProducer) -> None:
        """Note whom to stop."""
        self._producer = producer

    def write(self, data: bytes) -> None:
        """Keep."""
        self.data += data
        if len(self.data) > LARGEST and self._producer is not None:
            self._producer.stopProducing()


def read_token(document: bytes, now: float, name: str) -> Token:
    """Read the answer of a realm: ``token`` or ``access_token``, and how long it is good for.

    Raises:
        RegproxyError: UPSTREAM_BAD.
    """
    try:
        answer = json.loads(document)
        value = answer.get("token") or answer.get("access_token")
        lifetime = float(answer.get("expires_in") or LIFETIME)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} sent no token") from error
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} sent no token")
    return Token(value, now + max(0.0, lifetime) * USED)


@define(eq=False)
class Credentials:
    """The credentials of one remote, for its configured origin.

    Attributes:
        fixed: what is configured, as Authorization has it.
    """

    fixed: str | None
    _to_realm: str | None
    _follows: bool
    _origin: Origin
    _targets: Targets
    _clock: IReactorTime
    _agent: IAgent
    _noting: Noting | None = None
    _challenge: Challenge | None = field(default=None, init=False)
    _tokens: dict[Challenge, Token] = field(factory=dict, init=False)
    _waiting: "dict[Challenge, list[Deferred[Token | None]]]" = field(factory=dict, init=False)

    @classmethod
    def of(
        cls,
        settings: RepositorySettings,
        origin: Origin,
        targets: Targets,
        clock: IReactorTime,
        agent: IAgent,
        noting: Noting | None = None,
    ) -> Self:
        """Read them from the settings."""
        fixed = to_realm = None
        if settings.username:
            fixed = to_realm = _basic(settings.username, settings.password)
        if settings.token:
            # A realm knows users and passwords only; a token goes there as the password of one.
            fixed, to_realm = f"Bearer {settings.token}", _basic(settings.username or "token", settings.token)
        follows = settings.enable_token_authentication is not False
        return cls(fixed, to_realm, follows, origin, targets, clock, agent, noting)

    async def known(self, scope: str) -> str | None:
        """What to send unasked: a token, if this upstream has asked for one before, else what is configured."""
        if self._challenge is None or not scope:
            return self.fixed
        try:
            token = await self._token(self._wanted(self._challenge, scope))
        except RegproxyError:
            return self.fixed  # the upstream's own answer says more
        return token.header if token else self.fixed

    async def challenged(self, headers: Headers, scope: str, rejected: str | None) -> str | None:
        """What to send instead of what was refused with 401; None if there is nothing better.

        Raises:
            RegproxyError: the realm cannot be asked, or is not the upstream's.
        """
        found = bearer_challenge(headers.all("www-authenticate")) if self._follows else None
        if found is None:
            return None
        if not is_trusted(found.realm, self._origin, self._targets):
            raise RegproxyError(
                Kind.UPSTREAM_BAD,
                f"{self._origin} sends us for a token to a host that is neither its own nor among the allowedHosts",
            )
        self._challenge = found
        wanted = self._wanted(found, scope)
        kept = self._tokens.get(wanted)
        if kept is not None and kept.header == rejected:
            del self._tokens[wanted]
        token = await self._token(wanted)
        return token.header if token else None

    def _wanted(self, challenge: Challenge, scope: str) -> Challenge:
        return evolve(challenge, scope=f"repository:{scope}:pull") if scope else challenge

    async def _token(self, wanted: Challenge) -> Token | None:
        kept = self._tokens.get(wanted)
        if kept is not None and self._clock.seconds() < kept.until:
            return kept
        waiting = self._waiting.get(wanted)
        if waiting is None:
            waiting = self._waiting[wanted] = []
            mine = self._wait(waiting)
            spawn(self._fetch(wanted), "asking for a token")
            return await mine
        return await self._wait(waiting)

    def _wait(self, waiting: "list[Deferred[Token | None]]") -> "Deferred[Token | None]":
        mine: Deferred[Token | None] = Deferred(waiting.remove)
        waiting.append(mine)
        return mine

    async def _fetch(self, wanted: Challenge) -> None:
        """Ask, apart from those who wait: one that gives up does not take it from the others."""
        name = str(Origin.of(wanted.realm))
        asking = Deferred.fromCoroutine(self._ask(wanted, name))
        asking.addTimeout(PATIENCE, self._clock)
        result: Token | Failure | None
        try:
            result = await asking
        except RegproxyError as error:
            result = Failure(error)
        except (CancelledError, TwistedTimeout):
            result = Failure(RegproxyError(Kind.UPSTREAM_SLOW, f"{name} sent no token within {PATIENCE:g} s"))
        if isinstance(result, Token):
            self._keep(wanted, result)
        for waiter in self._waiting.pop(wanted):
            waiter.callback(result)

    def _keep(self, wanted: Challenge, token: Token) -> None:
        self._tokens.pop(wanted, None)
        if len(self._tokens) >= KEPT:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[wanted] = token

    async def _ask(self, wanted: Challenge, name: str) -> Token | None:
        there = Origin.of(wanted.realm)
        self._targets.check(there)
        headers = Headers.of(accept="application/json")
        if self._to_realm is not None:
            headers = headers.plus(("authorization", self._to_realm))
        began = self._clock.seconds()
        answer = await send(self._agent, "GET", wanted.url(), headers, self._noting)
        body = Body(name, answer.length, answer.response, self._clock, PATIENCE, lambda: None, answer.note)
        status = answer.hop.status
        if status != OK:
            body.abort()
            if status >= SERVER_ERROR:
                raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} answered {status} when asked for a token")
            return None
        collected = Collected()
        await body.deliver(collected)
        return read_token(bytes(collected.data), began, name)


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")
