"""The public keys of one issuer: fetched when they are needed, kept, and fetched again for a key that is not among them.

Rules: one question at a time for all who wait; an unknown key has the issuer asked twice a minute at most, whoever makes up
names; while it does not answer, keys that were good within a day still are. Documents are small, and of few keys.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
import msgspec
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import Issuer
from regproxy.stream.observer import OneShot
from regproxy.stream.spawn import spawn

log = make_logger()

FRESH_SECONDS = 3600.0
AGAIN_SECONDS = 30.0
KEPT_SECONDS = 86_400.0
MOST_KEYS = 64
SHORTEST_RSA = 2048
DISCOVERY = "/.well-known/openid-configuration"
ALGORITHMS = ("RS256", "ES256")

Fetch = Callable[[str], "Deferred[bytes]"]
"""Get a small document of an issuer; ``RegproxyError`` for what cannot be had."""


@define(eq=False)
class Keys:
    """Of one issuer."""

    _issuer: Issuer
    _fetch: Fetch
    _clock: IReactorTime
    _known: Mapping[str, jwt.PyJWK] = field(factory=dict, init=False)
    _since: float = field(default=0.0, init=False)
    _asked: float | None = field(default=None, init=False)
    _asking: OneShot[None] | None = field(default=None, init=False)

    async def find(self, name: str) -> jwt.PyJWK:
        """The key of that name, or the only one if none is given; ``RegproxyError`` if there is none."""
        now = self._clock.seconds()
        key = self._of(name)
        if key is not None and now - self._since < FRESH_SECONDS:
            return key
        if self._asked is None or now - self._asked >= AGAIN_SECONDS or self._asking is not None:
            try:
                await self._renewed()
            except RegproxyError as error:
                log.error("the keys of {name} were not renewed: {error}", name=self._issuer.name, error=error.text)  # noqa: TRY400 - one line
            key = self._of(name)
        is_silent = self._asked is not None and self._since < self._asked
        if is_silent and (key is None or now - self._since >= KEPT_SECONDS):
            raise RegproxyError(Kind.UPSTREAM_DOWN, f"the keys of {self._issuer.name} cannot be had now")
        if key is None:
            raise RegproxyError(Kind.UNAUTHENTICATED, f"{self._issuer.name} has no key by which this token is signed")
        return key

    def _of(self, name: str) -> jwt.PyJWK | None:
        if not name and len(self._known) == 1:
            return next(iter(self._known.values()))
        return self._known.get(name)

    def _renewed(self) -> "Deferred[None]":
        asking = self._asking
        if asking is None:
            asking = self._asking = OneShot()
            spawn(self._renew(asking), f"asking for the keys of {self._issuer.name}")
        return asking.when()

    async def _renew(self, asking: "OneShot[None]") -> None:
        self._asked = self._clock.seconds()
        try:
            url = self._issuer.jwks_url or _jwks_url(await self._fetch(self._issuer.issuer.rstrip("/") + DISCOVERY), self._issuer)
            known = read_keys(await self._fetch(url))
        except Exception:  # noqa: BLE001 - it belongs to those who wait
            self._asking = None
            asking.fail(Failure())
            return
        self._known, self._since, self._asking = known, self._clock.seconds(), None
        asking.fire(None)


def _jwks_url(document: bytes, issuer: Issuer) -> str:
    try:
        said = msgspec.json.decode(document, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{issuer.name} describes itself in no way that can be read") from error
    url = said.get("jwks_uri")
    if said.get("issuer") != issuer.issuer or not isinstance(url, str):
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{issuer.name} describes another issuer than {issuer.issuer}")
    if urlsplit(issuer.issuer).scheme == "https" and not url.startswith("https://"):
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{issuer.name} has its keys at an address that is not https")
    return url


def read_keys(document: bytes) -> Mapping[str, jwt.PyJWK]:
    """The usable keys of a JWKS by their names; ``RegproxyError`` (UPSTREAM_BAD) for what is none."""
    try:
        listed = msgspec.json.decode(document, type=dict[str, Any])["keys"]
        found = [each for each in listed if isinstance(each, dict) and each.get("use", "sig") == "sig"]
    except (msgspec.MsgspecError, KeyError, TypeError, RecursionError) as error:
        raise RegproxyError(Kind.UPSTREAM_BAD, "the issuer's keys cannot be read") from error
    if len(found) > MOST_KEYS:
        raise RegproxyError(Kind.UPSTREAM_BAD, "the issuer has too many keys")
    usable = ((str(each.get("kid", "")), _usable(each)) for each in found)
    return {name: key for name, key in usable if key is not None}


def _usable(given: dict[str, Any]) -> jwt.PyJWK | None:
    """One key; None for one of an algorithm that is not accepted here, and for one that is too short."""
    if given.get("kty") not in ("RSA", "EC") or given.get("alg", ALGORITHMS[0]) not in ALGORITHMS:
        return None
    try:
        key = jwt.PyJWK(given)
    except jwt.InvalidKeyError:
        return None
    short = isinstance(key.key, RSAPublicKey) and key.key.key_size < SHORTEST_RSA
    return key if not short and key.algorithm_name in ALGORITHMS else None
