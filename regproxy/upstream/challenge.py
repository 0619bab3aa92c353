"""Challenges of registries: reading them, and where a token may be asked for. Pure."""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlencode

from attrs import frozen

from regproxy.errors import RegproxyError
from regproxy.upstream.origin import Origin, clean_url
from regproxy.upstream.targets import Targets

LONGEST = 4096
_BEARER = re.compile(r"(?:^|,)\s*bearer\s+", re.IGNORECASE)
_PARAMETER = re.compile(r'\s*([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]++))\s*(?:,|$)', re.IGNORECASE)
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})


@frozen
class Challenge:
    """``WWW-Authenticate: Bearer``, as registries have it."""

    realm: str
    service: str = ""
    scope: str = ""

    def url(self) -> str:
        """Where the token is."""
        query = urlencode([(name, value) for name, value in (("service", self.service), ("scope", self.scope)) if value])
        realm = clean_url(self.realm)
        return realm + ("&" if "?" in realm else "?") + query if query else realm


def bearer_challenge(values: Iterable[str]) -> Challenge | None:
    """Find the Bearer challenge among the values of ``WWW-Authenticate``; None without one, or without a realm."""
    for value in values:
        found = _BEARER.search(value[:LONGEST])
        if found is None:
            continue
        parameters: dict[str, str] = {}
        position = found.end()
        while parameter := _PARAMETER.match(value[:LONGEST], position):
            quoted, plain = parameter[2], parameter[3]
            parameters[parameter[1].lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            position = parameter.end()
        if parameters.get("realm"):
            return Challenge(parameters["realm"], parameters.get("service", ""), parameters.get("scope", ""))
    return None


def registrable(host: str) -> str:
    """The domain that a host belongs to: two labels, or three where the last but one is ``co``, ``com``, ``org``, … of a country.

    A rule of thumb that needs no list: under suffixes that it does not know it sees one owner where there are many, so it only
    ever decides about realms that the configured host itself names.
    """
    try:
        ip_address(host)
    except ValueError:
        labels = host.split(".")
        country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL  # noqa: PLR2004 - labels, letters
        return ".".join(labels[-3 if country else -2 :])
    return host


def is_trusted(realm: str, origin: Origin, targets: Targets) -> bool:
    """Whether we ask there, and show who we are: the same host or domain, or named; never by http for an https host."""
    try:
        there = Origin.of(realm)
    except RegproxyError:
        return False
    if origin.scheme == "https" and there.scheme != "https":
        return False
    same_domain = "." in origin.host and registrable(there.host) == registrable(origin.host)
    return targets.named(there) or same_domain
