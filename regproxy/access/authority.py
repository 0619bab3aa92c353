"""Says who it is that shows a credential. One object for a process; what it has found out it remembers for a few seconds.

Rules: passwords are hashed in a thread; a credential is looked up by a keyed hash, so that comparing takes the same time for all;
any change of users, rights or tokens, by whichever process, forgets everything but which password was right, which holds for as
long as it is the user's; who guesses waits (``attempts``). A wrong password that a forgotten job shows again and again is one
guess; tokens are not guessed, so good ones never wait.
"""

import hmac
from collections import OrderedDict
from secrets import token_bytes

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from regproxy.access.attempts import FORGOTTEN_SECONDS, Attempts
from regproxy.access.credentials import Basic, Bearer, Credential
from regproxy.access.passwords import is_right
from regproxy.access.principal import Principal
from regproxy.access.scopes import Scope
from regproxy.access.tokens import REFERENCE, Claims, hash_of, is_ours, read, sign
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Directory
from regproxy.model.principals import ANONYMOUS, Group, Target, User
from regproxy.stream.observer import OneShot
from regproxy.stream.pool import Pool
from regproxy.stream.spawn import spawn

REMEMBERED = 2000
REMEMBERED_SECONDS = 30.0
SESSION_SECONDS = 3600
CHECKED_AT_ONCE = 64
_BUSY_SECONDS = 5
WRONG = "the user or the password is wrong"
_BY_CERTIFICATE = "\0certificate"
"""No password: none has such a character."""
_BY_PASSWORD = "password:"  # noqa: S105 - a word


@frozen
class _Known:
    principal: Principal
    until: float


@frozen
class _Checked:
    """What a password was compared with, and until when that is remembered."""

    kept: str
    until: float


@define(eq=False)
class Authority:
    """Knows the directory; ``anonymous_allowed`` is ``[access] anonymous``."""

    directory: Directory
    anonymous_allowed: bool
    _clock: IReactorTime
    _pool: Pool
    _attempts: Attempts = field(init=False)
    _checking: "dict[tuple[bytes, str], OneShot[Principal]]" = field(factory=dict, init=False)
    _secret: bytes = field(factory=lambda: token_bytes(32), init=False)
    _known: OrderedDict[bytes, _Known] = field(factory=OrderedDict, init=False)
    _right: OrderedDict[bytes, _Checked] = field(factory=OrderedDict, init=False)
    _refused: OrderedDict[bytes, _Checked] = field(factory=OrderedDict, init=False)
    _stamp: int = field(default=-1, init=False)
    _targets: tuple[Target, ...] = field(default=(), init=False)
    _has_people: bool = field(default=False, init=False)
    _anonymous: Principal | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._attempts = Attempts(self._clock)

    def anonymous(self) -> Principal:
        """Who shows nothing."""
        if self._anonymous is None or self.directory.stamp() != self._stamp:
            self._renew()
        assert self._anonymous is not None
        return self._anonymous

    def has_people(self) -> bool:
        """Whether there is anybody beside the first administrator, or a token, be it his."""
        self.anonymous()
        return self._has_people

    def _renew(self) -> None:
        self._stamp = self.directory.stamp()
        self._targets = tuple(self.directory.every(Target))
        self._has_people = len(self.directory.every(User)) > 1 or self.directory.has_tokens()
        self._known.clear()
        self._anonymous = self._nobody()

    def _nobody(self) -> Principal:
        return Principal(name=ANONYMOUS, known_as=ANONYMOUS, targets=self._targets if self.anonymous_allowed else ())

    def identify(self, credential: Credential, address: str) -> "Principal | Deferred[Principal]":
        """Who that is; ``RegproxyError`` (UNAUTHENTICATED) if it is nobody, (UPSTREAM_BUSY) for one who has guessed too often."""
        anonymous = self.anonymous()
        if isinstance(credential, Bearer) and credential.is_foreign and not is_ours(credential.secret):
            if self.anonymous_allowed:
                return anonymous
            raise RegproxyError(Kind.UNAUTHENTICATED, "this token is not one of ours")
        digest = self._digest(credential)
        known = self._known.get(digest)
        if known is not None and known.until > self._clock.seconds():
            return known.principal
        if isinstance(credential, Basic) and not is_ours(credential.secret):
            return self._by_password(credential, address, digest)
        return self._by_token(credential.secret, address, credential.user if isinstance(credential, Basic) else "", digest)

    def by_signature(self, secret: str, address: str) -> Principal:
        """Who has signed an address; UNAUTHENTICATED for any other token: what stands in addresses stands in logs of proxies."""
        principal = self.identify(Bearer(secret), address)
        claims = None if secret.startswith(REFERENCE) else read(secret, self.directory.key())
        grants = Scope.of(claims.scope).grants if claims is not None and claims.scope else ()
        if claims is None or claims.id or not grants or isinstance(principal, Deferred):
            raise RegproxyError(Kind.UNAUTHENTICATED, "a token stands in a header: no address is signed by it")
        return principal

    def by_certificate(self, name: str) -> Principal:
        """A user who has shown a client certificate; UNAUTHENTICATED if there is none of that name who may log in."""
        self.anonymous()
        digest = self._digest(Basic(name, _BY_CERTIFICATE))
        known = self._known.get(digest)
        if known is not None and known.until > self._clock.seconds():
            return known.principal
        user = self.directory.get(User, name)
        if user is None or not user.enabled:
            raise RegproxyError(Kind.UNAUTHENTICATED, "the user of this certificate may not log in")
        return self._remember(digest, self._principal(user), None)

    def session(self, principal: Principal, grant: str = "", seconds: int = SESSION_SECONDS) -> tuple[str, int]:
        """A token for a client that will not show its credentials again and again, and how many seconds it lasts.

        With a ``grant``, which he must have, it is good for that and nothing else. It ends with what he has shown, at the latest.
        """
        now = self._clock.seconds()
        if principal.expires is not None:
            seconds = max(1, min(seconds, int(principal.expires - now)))
        own = principal.scope
        scope = grant if own is None else own.narrowed(grant) if grant else own.text
        claims = Claims(principal.name, scope, source=principal.token or self._mark(principal.name), expires=now + seconds)
        return sign(claims, self.directory.key(), now), seconds

    def _hold_back(self, address: str, user: str) -> None:
        wait = self._attempts.wait(address, user)
        if wait:
            raise RegproxyError(Kind.UPSTREAM_BUSY, f"too many wrong attempts: wait {wait} s", retry_after=wait)

    def _by_password(self, credential: Basic, address: str, digest: bytes) -> "Principal | Deferred[Principal]":
        """One check for all who show the same at the same time."""
        user = self.directory.get(User, credential.user)
        if user is not None and user.enabled and self._is_checked(self._right, digest, user.password):
            return self._remember(digest, self._principal(user), None)
        if self._is_checked(self._refused, digest, self._kept(credential.user)):
            raise RegproxyError(Kind.UNAUTHENTICATED, WRONG)
        self._hold_back(address, credential.user)
        checked = self._checking.get((digest, address))
        if checked is None:
            if len(self._checking) >= CHECKED_AT_ONCE:
                raise RegproxyError(Kind.UPSTREAM_BUSY, "too many are logging in at once", retry_after=_BUSY_SECONDS)
            checked = self._checking[digest, address] = OneShot()
            spawn(self._check(credential, address, digest, checked), "checking a password")
        return checked.when()

    def _mark(self, name: str) -> str:
        """Says of a session which password it was made from, and nothing of the password."""
        user = self.directory.get(User, name)
        return (
            "" if user is None else _BY_PASSWORD + hmac.digest(self.directory.key(), user.password.encode(), "sha256").hex()[:32]
        )

    async def _check(self, credential: Basic, address: str, digest: bytes, checked: "OneShot[Principal]") -> None:
        try:
            principal = await self._checked(credential, address, digest)
        except Exception:  # noqa: BLE001 - it belongs to those who wait
            outcome: Principal | Failure = Failure()
        else:
            outcome = principal
        del self._checking[digest, address]
        if isinstance(outcome, Failure):
            checked.fail(outcome)
        else:
            checked.fire(outcome)

    async def _checked(self, credential: Basic, address: str, digest: bytes) -> Principal:
        kept = self._kept(credential.user)
        right = await self._pool.run(lambda: is_right(credential.secret, kept))
        self._hold_back(address, credential.user)  # of many guesses at once, those behind the last free one are not looked at
        user = self.directory.get(User, credential.user)
        if not right or user is None or not user.enabled or user.password != kept:
            self._note(self._refused, digest, kept, FORGOTTEN_SECONDS)
            raise self._wrong(address, credential.user, WRONG)
        self._attempts.succeeded(address, credential.user)
        self._note(self._right, digest, kept, REMEMBERED_SECONDS)
        self.anonymous()
        return self._remember(digest, self._principal(user), None)

    def _is_checked(self, checked: OrderedDict[bytes, _Checked], digest: bytes, kept: str) -> bool:
        known = checked.get(digest)
        return known is not None and known.until > self._clock.seconds() and known.kept == kept

    def _note(self, checked: OrderedDict[bytes, _Checked], digest: bytes, kept: str, seconds: float) -> None:
        checked.pop(digest, None)
        checked[digest] = _Checked(kept, self._clock.seconds() + seconds)
        while len(checked) > REMEMBERED:
            checked.popitem(last=False)

    def _kept(self, name: str) -> str:
        """What a password is compared with; empty where none is right."""
        user = self.directory.get(User, name)
        return user.password if user is not None and user.enabled else ""

    def _by_token(self, secret: str, address: str, user: str, digest: bytes) -> Principal:
        now = self._clock.seconds()
        if secret.startswith(REFERENCE):
            row = self.directory.token_of(hash_of(secret))
            if row is None:
                raise self._wrong(address, user, "there is no such token, or it was revoked")
            claims = Claims(row.subject, row.scope, row.id, "", row.expires)
        else:
            try:
                claims = read(secret, self.directory.key())
            except RegproxyError as error:
                raise self._wrong(address, user, error.text) from error
        return self._remember(digest, self._of_claims(claims, user, now), claims.expires)

    def _of_claims(self, claims: Claims, user: str, now: float) -> Principal:
        by_password = claims.source.startswith(_BY_PASSWORD)
        origin = "" if by_password else claims.id or claims.source
        row = self.directory.token(origin) if origin else None
        if (origin or claims.expires is None) and row is None:
            raise RegproxyError(Kind.UNAUTHENTICATED, "this token was revoked")
        if claims.expires is not None and claims.expires <= now:
            raise RegproxyError(Kind.UNAUTHENTICATED, "this token has expired")
        if user and user != claims.subject:
            raise RegproxyError(Kind.UNAUTHENTICATED, "this token is another user's")
        if claims.subject == ANONYMOUS and not claims.id:
            return self._nobody()
        owner = self.directory.get(User, claims.subject)
        if owner is None or not owner.enabled:
            raise RegproxyError(Kind.UNAUTHENTICATED, "the owner of this token may not log in")
        if by_password and claims.source != self._mark(owner.name):
            raise RegproxyError(Kind.UNAUTHENTICATED, "the password has changed since")
        return self._principal(owner, Scope.of(claims.scope) if claims.scope else None, origin, claims.expires)

    def _principal(self, user: User, scope: Scope | None = None, token: str = "", expires: float | None = None) -> Principal:
        by_groups = scope is not None and scope.groups is not None
        named = scope.groups if scope is not None and scope.groups is not None else user.groups
        groups = [group for group in (self.directory.get(Group, name) for name in named) if group is not None]
        return Principal(
            name=user.name,
            known_as="" if by_groups else user.name,
            admin=(user.admin and not by_groups) or any(group.admin for group in groups),
            groups=tuple(group.name for group in groups),
            scope=scope,
            token=token,
            expires=expires,
            targets=self._targets,
            anonymous=self.anonymous() if self.anonymous_allowed else None,
        )

    def _remember(self, digest: bytes, principal: Principal, expires: float | None) -> Principal:
        until = self._clock.seconds() + REMEMBERED_SECONDS
        self._known[digest] = _Known(principal, until if expires is None else min(until, expires))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return principal

    def _digest(self, credential: Credential) -> bytes:
        user = credential.user if isinstance(credential, Basic) else ""
        return hmac.digest(self._secret, f"{user}\0{credential.secret}".encode(), "sha256")

    def _wrong(self, address: str, user: str, text: str) -> RegproxyError:
        self._hold_back(address, user)
        self._attempts.failed(address, user)
        return RegproxyError(Kind.UNAUTHENTICATED, text)
