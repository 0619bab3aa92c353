"""A program that knows the credentials of an upstream, as docker's credential helpers do: it is asked whenever they are needed.

``PROGRAM … get`` reads the server's name from stdin and prints ``{"Username": …, "Secret": …}``; ``ExpiresAt`` (RFC 3339) or
``ExpiresIn`` (seconds) may stand beside them. Rules:

1. However many requests want it, it runs once, and is killed when it takes longer than ``SECONDS``.
2. What it said is used until ``USED`` of its time is over, or until upstream refuses it. One that fails is left alone for a
   while; while what it said before is still good, that is used.
3. Nothing of what it prints on stdout is ever logged; what it says on stderr is, without what may be a secret.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import define, field, frozen
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.observer import OneShot
from regproxy.stream.spawn import spawn

log = make_logger()

SECONDS = 30.0
LIFETIME = 3600.0
"""Of what does not say how long it is good for."""
USED = 0.85
AFTER_FAILURE = 10.0
AFTER_REFUSAL = 10.0
"""Whatever upstream refuses, it is not asked for anew more often than that."""
LARGEST = 64 << 10
SHOWN = 2000
GRACE = 1.0

Processes = Any
"""A reactor: ``IReactorTime`` and ``IReactorProcess``, for which there is no common type."""

_TOKEN_USER = "<token>"  # noqa: S105 - docker's name for one who has only a token
_SCHEME = r"(?:bearer|basic|token)"
_NAMED = re.compile(rf"(?i)((?:{_SCHEME}|secret|password|passwd|key|authorization)[\"']?\s*[:= ]\s*[\"']?)(?:{_SCHEME}\s+)?\S+")
_LONG = re.compile(r"[A-Za-z0-9+/=_~-]{24,}")


@frozen
class Login:
    """What a helper said; ``until`` in seconds of the reactor's clock."""

    username: str
    secret: str = field(repr=False)
    until: float = 0.0

    @property
    def is_token(self) -> bool:
        """Whether there is no user, and the secret is a token."""
        return self.username == _TOKEN_USER


def read_login(printed: bytes, wall: float, now: float) -> Login:
    """Read what a helper printed, ``wall`` being the time of day; ``ValueError``, which never quotes it, for what is no login."""
    try:
        said: Any = json.loads(printed)
        username, secret = said["Username"], said["Secret"]
        seconds = LIFETIME
        if said.get("ExpiresIn") is not None:
            seconds = float(said["ExpiresIn"])
        elif said.get("ExpiresAt"):
            seconds = datetime.fromisoformat(said["ExpiresAt"]).timestamp() - wall
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise ValueError('it printed no {"Username": …, "Secret": …}') from None
    good = all(isinstance(each, str) and each.isprintable() for each in (username, secret))
    if not good or not secret or ":" in username:
        raise ValueError("it printed a user or a secret that cannot be one")
    if not seconds > 0:
        raise ValueError("what it printed has expired already")
    return Login(username, secret, now + seconds * USED)


def without_secrets(text: str, known: Sequence[str] = ()) -> str:
    """What may be logged of what a helper said on stderr: one line."""
    for secret in filter(None, known):
        text = text.replace(secret, "***")
    shown = "".join(letter if letter.isprintable() else " " for letter in text)[:SHOWN]
    return _LONG.sub("***", _NAMED.sub(r"\1***", shown)).strip()


class _Run(ProcessProtocol):
    """One run, from ``spawnProcess`` on."""

    transport: IProcessTransport

    def __init__(self, reactor: Processes, server: str) -> None:
        self.printed, self.said = bytearray(), bytearray()
        self.ended: OneShot[None] = OneShot()
        self.why = ""
        self._reactor, self._server = reactor, server

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """It runs."""
        self._timer = self._reactor.callLater(SECONDS, self.kill, f"it took longer than {SECONDS:g} s")
        self.transport.write(self._server.encode() + b"\n")
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take what it prints."""
        self.printed += data[: max(0, LARGEST + 1 - len(self.printed))]
        if len(self.printed) > LARGEST:
            self.kill("it printed too much")

    def errReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take what it says of itself: the beginning is enough."""
        self.said += data[: max(0, LARGEST - len(self.said))]

    def kill(self, why: str) -> None:
        """Stop it."""
        self.why = self.why or why
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def processExited(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It has ended; a child that it left behind may hold its stdout for ever."""
        if self._timer.active():
            self._timer.cancel()
        if not self.why and not reason.check(ProcessDone):
            code = getattr(reason.value, "exitCode", None)
            self.why = "it was killed" if code is None else f"it ended with status {code}"
        self._timer = self._reactor.callLater(GRACE, self._settle)

    def processEnded(self, reason: Failure) -> None:  # noqa: ARG002, N802 - Twisted's
        """Everything that it printed is here."""
        if self._timer.active():
            self._timer.cancel()
        self._settle()

    def _settle(self) -> None:
        if not self.ended.fired:
            self.ended.fire(None)


@define(eq=False)
class Keyring:
    """That of one remote."""

    _reactor: Processes
    _command: Sequence[str]
    _server: str
    _name: str
    _held: Login | None = field(default=None, init=False)
    _running: "OneShot[Login] | None" = field(default=None, init=False)
    _failure: RegproxyError | None = field(default=None, init=False)
    _fails_until: float = field(default=0.0, init=False)
    _rests_until: float = field(default=0.0, init=False)

    async def login(self) -> Login:
        """What to show now; ``RegproxyError`` (UPSTREAM_BAD) if the helper knows nothing."""
        held, now = self._held, self._reactor.seconds()
        if held is not None and now < held.until:
            return held
        if self._running is None and self._failure is not None and now < self._fails_until:
            raise self._failure
        return await self._ask()

    async def in_place_of(self, refused: Login) -> Login | None:
        """What to show instead of what upstream has refused; None if there is nothing else."""
        found = self._held
        if found is None or found is refused:
            if self._running is None and self._reactor.seconds() < self._rests_until:
                return None
            self._rests_until = self._reactor.seconds() + AFTER_REFUSAL
            try:
                found = await self._ask()
            except RegproxyError:
                return None  # the refusal says more
        return None if (found.username, found.secret) == (refused.username, refused.secret) else found

    async def _ask(self) -> Login:
        running = self._running
        if running is None:
            running = self._running = OneShot()
            spawn(self._run(running), "asking a credential helper")
        return await running.when()

    async def _run(self, asked: "OneShot[Login]") -> None:
        """Apart from those who wait: one that gives up does not stop it."""
        try:
            found = await self._printed()
        except ValueError as error:
            text = f"the credential helper of {self._name} gave none"
            self._failure = RegproxyError(Kind.UPSTREAM_BAD, text, detail=str(error))
            self._fails_until = self._reactor.seconds() + AFTER_FAILURE
            log.error("{name}: its credential helper failed: {error}", name=self._name, error=error)  # noqa: TRY400 - said
            self._running = None
            asked.fail(Failure(self._failure))
        else:
            self._held, self._failure, self._running = found, None, None
            asked.fire(found)

    async def _printed(self) -> Login:
        command = [*self._command, "get"]
        if not os.access(command[0], os.X_OK):
            raise ValueError("it cannot be run")
        run, began = _Run(self._reactor, self._server), self._reactor.seconds()
        try:
            self._reactor.spawnProcess(run, command[0], command, env=None)
        except OSError as error:  # no process, or no descriptor, to be had
            raise ValueError(f"it cannot be run now: {error}") from error
        await run.ended.when()
        login, why = None, run.why
        if not why:
            try:
                login = read_login(bytes(run.printed), time.time(), began)
            except ValueError as error:
                why = str(error)
        known = [each.secret for each in (login, self._held) if each is not None]
        said = without_secrets(run.said.decode("utf-8", "replace"), known)
        if login is None:
            raise ValueError(f"{why}: {said}" if said else why)
        if said:
            log.info("{name}: its credential helper says: {said}", name=self._name, said=said)
        return login
