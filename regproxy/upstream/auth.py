"""Who we are to an upstream: Basic, Bearer, and the token flow of registries.

A token is asked for once, however many requests want it, kept by realm, service and scope, and renewed when 85 % of its time are
over. One that the upstream refuses is thrown away and asked for once more. Realms that are not the upstream's get nothing.
"""

import json
from base64 import b64encode
from typing import Any, Self
from urllib.parse import urlsplit

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
from regproxy.upstream.keyring import Keyring, Login
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
REFUSED = frozenset({401, 403})
DOCKER_HUB = frozenset({"registry-1.docker.io", "index.docker.io", "docker.io"})
DOCKER_HUB_LOGIN = "https://index.docker.io/v1/"
"""What docker stores its login there under."""
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
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} sent no token") from error
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} sent no token")
    return Token(value, now + max(0.0, lifetime) * USED)


@frozen
class Shown:
    """Who we are, as Authorization has it: to the upstream itself, and to a realm."""

    upstream: str | None = None
    realm: str | None = None

    @classmethod
    def of(cls, username: str, password: str, token: str) -> Self:
        """A realm knows users and passwords only; a token goes there as the password of one."""
        if token:
            return cls(f"Bearer {token}", _basic(username or "token", token))
        return cls(_basic(username, password), _basic(username, password)) if username else cls()


@define(eq=False)
class Credentials:
    """The credentials of one remote, for its configured origin: as they are configured, or as a helper says them."""

    _shown: Shown
    _keyring: Keyring | None
    _follows: bool
    _origin: Origin
    _targets: Targets
    _clock: IReactorTime
    _agent: IAgent
    _noting: Noting | None = None
    _login: Login | None = field(default=None, init=False)
    _before: str | None = field(default=None, init=False)
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
        shown = Shown.of(settings.username, settings.password, settings.token)
        follows = settings.enable_token_authentication is not False
        return cls(shown, keyring_of(settings, clock), follows, origin, targets, clock, agent, noting)

    @property
    def fixed(self) -> str | None:
        """What is configured, or what a helper said last."""
        return self._shown.upstream

    async def known(self, scope: str) -> str | None:
        """What to send unasked: a token, if this upstream has asked for one before, else what is configured."""
        if self._keyring is not None:
            self._take(await self._keyring.login())
        if self._challenge is None or not scope:
            return self.fixed
        try:
            token = await self._token(self._wanted(self._challenge, scope))
        except RegproxyError:
            return self.fixed  # the upstream's own answer says more
        return token.header if token else self.fixed

    async def renewed(self, rejected: str | None) -> str | None:
        """What a helper has to show in place of what was rejected; None if there is none, or nothing else."""
        if self._keyring is None or self._login is None or rejected not in (self.fixed, self._before):
            return None
        if rejected == self.fixed:
            login = await self._keyring.in_place_of(self._login)
            if login is None:
                return None
            self._take(login)
        return self.fixed

    def _take(self, login: Login) -> None:
        if login is not self._login:
            self._login, self._before = login, self.fixed
            user, secret = login.username, login.secret
            self._shown = Shown.of("", "", secret) if login.is_token else Shown.of(user, secret, "")

    async def challenged(self, headers: Headers, scope: str, rejected: str | None) -> str | None:
        """What to send instead of what was refused with 401; None if there is nothing better.

        Raises:
            RegproxyError: the realm cannot be asked, or is not the upstream's.
        """
        found = bearer_challenge(headers.all("www-authenticate")) if self._follows else None
        if found is None:
            return await self.renewed(rejected)
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
        began = self._clock.seconds()
        shown = self._shown
        status, body = await self._asked(wanted, name, shown.realm)
        if status in REFUSED and await self.renewed(shown.upstream) is not None:
            body.abort()
            status, body = await self._asked(wanted, name, self._shown.realm)
        if status != OK:
            body.abort()
            if status >= SERVER_ERROR:
                raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} answered {status} when asked for a token")
            return None
        collected = Collected()
        await body.deliver(collected)
        return read_token(bytes(collected.data), began, name)

    async def _asked(self, wanted: Challenge, name: str, shown: str | None) -> tuple[int, Body]:
        headers = Headers.of(accept="application/json")
        if shown is not None:
            headers = headers.plus(("authorization", shown))
        answer = await send(self._agent, "GET", wanted.url(), headers, self._noting)
        body = Body(name, answer.length, answer.response, self._clock, PATIENCE, lambda: None, answer.note)
        return answer.hop.status, body


def keyring_of(settings: RepositorySettings, reactor: Any) -> Keyring | None:
    """The helper of a remote, if it has one; it is told what docker tells those of registries, and the URL elsewhere."""
    if not settings.credential_helper:
        return None
    parts = urlsplit(settings.url)
    server = settings.url
    if settings.package_type in ("docker", "oci"):
        server = DOCKER_HUB_LOGIN if parts.hostname in DOCKER_HUB else parts.netloc
    return Keyring(reactor, settings.credential_helper, server, settings.key)


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")
