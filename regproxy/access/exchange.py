"""Trades tokens of other issuers (a CI system's, for one of its jobs) for short ones of ours, as RFC 8693 has it.

Rules: only configured issuers, audiences and algorithms; who it is that asks is what a mapping of the configuration makes of the
claims, and nobody if none fits. What is given may what the mapping says, for as long as it says, and can be revoked. A token that
was refused counts as a guess.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import jwt
from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from regproxy.access.attempts import Attempts
from regproxy.access.issuing import Issuing
from regproxy.access.keys import ALGORITHMS, Keys
from regproxy.access.making import Issued, Wish
from regproxy.access.scopes import USER
from regproxy.errors import Kind, RegproxyError
from regproxy.model.principals import User
from regproxy.model.settings import IdentityMapping, Issuer
from regproxy.telemetry.events import Events, What

LONGEST = 16 << 10
GROUPS = "applied-permissions/groups:"

Claims = Mapping[str, Any]


@define(eq=False)
class Exchange:
    """Knows the issuers."""

    _issuing: Issuing
    _clock: IReactorTime
    _events: Events = field(factory=Events)
    issuers: Sequence[tuple[Issuer, Keys]] = field(default=(), init=False)
    _attempts: Attempts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._attempts = Attempts(self._clock)

    def configure(self, issuers: Sequence[tuple[Issuer, Keys]]) -> None:
        """From now on, these."""
        self.issuers = issuers

    async def trade(self, token: str, provider: str, address: str) -> tuple[str, Issued]:
        """Who it is, and a token for him; ``RegproxyError`` (UNAUTHENTICATED, DENIED) says why not."""
        wait = self._attempts.wait(address, "")
        if wait:
            raise RegproxyError(Kind.UPSTREAM_BUSY, f"too many wrong attempts: wait {wait} s", retry_after=wait)
        try:
            issuer, claims = await self._verified(token, provider)
            name, wish = self._mapped(issuer, claims)
        except RegproxyError as error:
            if error.kind in (Kind.UNAUTHENTICATED, Kind.DENIED):
                self._attempts.failed(address, "")
                known = provider if provider in [each.name for each, _ in self.issuers] else ""
                self._events.tell(What.LOGIN_REFUSED, subject=known, detail=error.text)
            raise
        issued = await self._issuing.issue(wish)
        self._events.tell(What.LOGIN, user=name, detail=f"by {issuer.name}, as {str(claims['sub'])[:200]}")
        return name, issued

    async def _verified(self, token: str, provider: str) -> tuple[Issuer, Claims]:
        try:
            header = jwt.get_unverified_header(token) if len(token) <= LONGEST else {}
            said = jwt.decode(token, options={"verify_signature": False}) if header else {}
        except jwt.InvalidTokenError as error:
            raise RegproxyError(Kind.UNAUTHENTICATED, "this is no token") from error
        found = [each for each in self.issuers if each[0].issuer == said.get("iss") and provider in ("", each[0].name)]
        if not found or header.get("alg") not in ALGORITHMS:
            raise RegproxyError(Kind.UNAUTHENTICATED, "no issuer that is known here has made this token")
        issuer, keys = found[0]
        key = await keys.find(str(header.get("kid", "")))
        checks: Any = {
            "require": ["exp", "iat", "iss", "aud", "sub"],
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
        }
        try:
            claims = jwt.decode(
                token, key, algorithms=list(ALGORITHMS), audience=list(issuer.audience), issuer=issuer.issuer, options=checks
            )
        except jwt.InvalidTokenError as error:
            raise RegproxyError(Kind.UNAUTHENTICATED, f"{issuer.name}: {error}") from error
        self._timely(issuer, claims)
        return issuer, claims

    def _timely(self, issuer: Issuer, claims: Claims) -> None:
        """By our clock, with the skew that is allowed."""
        now, skew = self._clock.seconds(), issuer.clock_skew_seconds
        times = [claims[name] for name in ("exp", "iat")] + [claims.get("nbf", 0)]
        if not all(isinstance(time, int | float) for time in times):
            raise RegproxyError(Kind.UNAUTHENTICATED, f"{issuer.name}: a time of this token is none")
        expires, issued, begins = times
        if now >= expires + skew:
            raise RegproxyError(Kind.UNAUTHENTICATED, f"{issuer.name}: this token has expired")
        if max(issued, begins) > now + skew:
            raise RegproxyError(Kind.UNAUTHENTICATED, f"{issuer.name}: this token is not yet valid")

    def _mapped(self, issuer: Issuer, claims: Claims) -> tuple[str, Wish]:
        for mapping in issuer.mapping:
            if all(fits(claims.get(claim), pattern) for claim, pattern in mapping.claims.items()):
                name = self._named(mapping, claims)
                scope = GROUPS + ",".join(mapping.groups) if mapping.groups else mapping.scope or USER
                about = f"{issuer.name}: {claims['sub']}"[:1000]
                return name, Wish(username=name, scope=scope, expires_in=mapping.expires_in, description=about)
        raise RegproxyError(Kind.DENIED, f"{issuer.name}: no mapping fits this token")

    def _named(self, mapping: IdentityMapping, claims: Claims) -> str:
        name = mapping.username or str(claims.get(mapping.username_claim, ""))
        # Letters of other alphabets may be those of ours in small: K, the sign of Kelvin, would be whoever is called k.
        user = self._issuing.directory.get(User, name.lower()) if name.isascii() else None
        if user is None or not user.enabled:
            raise RegproxyError(Kind.DENIED, f"there is no user {name[:64]!a} who may log in")
        return user.name


def fits(value: object, pattern: str) -> bool:
    """Whether a claim is what a mapping wants, ``*`` and ``?`` being any; of a list, one of it."""
    if isinstance(value, list):
        return any(fits(each, pattern) for each in value)
    if isinstance(value, bool):
        value = str(value).lower()
    return isinstance(value, str | int) and fnmatchcase(str(value), pattern)
