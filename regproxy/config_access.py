"""The checks of ``[[access.clientCertificate]]``, ``[[oidc]]`` and ``[[quota]]``."""

from collections import Counter

from regproxy.access.scopes import Scope
from regproxy.config_reading import Mistakes
from regproxy.config_urls import split_url
from regproxy.errors import RegproxyError
from regproxy.model.settings import Configuration, IdentityMapping, Issuer
from regproxy.model.size import parse_size

_LONGEST = 86_400


def check_access(configuration: Configuration, mistakes: Mistakes) -> None:
    """Note everything that is wrong."""
    for number, item in enumerate(configuration.access.client_certificate):
        if not item.name or not item.username:
            mistakes.add(f"access.clientCertificate[{number}]", "expected the name of a certificate and a user")
    names = Counter(issuer.name for issuer in configuration.oidc)
    proxies = {proxy.key for proxy in configuration.proxy}
    for number, issuer in enumerate(configuration.oidc):
        where = f"oidc[{number}]"
        if not issuer.name or names[issuer.name] > 1:
            mistakes.add(f"{where}.name", "expected a name that no other one has", issuer.name[:80])
        _issuer(issuer, where, proxies, mistakes)
        for at, mapping in enumerate(issuer.mapping):
            _mapping(mapping, f"{where}.mapping[{at}]", issuer.name, mistakes)


def check_quotas(configuration: Configuration, mistakes: Mistakes) -> None:
    """Note everything that is wrong; repositories may be made later, so their keys are not looked up."""
    for number, quota in enumerate(configuration.quota):
        where = f"quota[{number}]"
        if not quota.requests_per_second and not quota.bytes:
            mistakes.add(where, "expected requestsPerSecond or bytes")
        if quota.requests_per_second < 0 or quota.burst < 0:
            mistakes.add(f"{where}.requestsPerSecond", "expected more than 0, and a burst of 0 or more")
        if not 1 <= quota.period_seconds <= _LONGEST * 31:
            mistakes.add(f"{where}.periodSeconds", "expected seconds, 31 days at most")
        try:
            if quota.bytes and not parse_size(quota.bytes):
                mistakes.add(f"{where}.bytes", "expected more than 0")
        except ValueError as error:
            mistakes.add(f"{where}.bytes", str(error))


def _issuer(issuer: Issuer, where: str, proxies: set[str], mistakes: Mistakes) -> None:
    for key, url in (("issuer", issuer.issuer), ("jwksUrl", issuer.jwks_url or issuer.issuer)):
        if split_url(url) is None:
            mistakes.add(f"{where}.{key}", "expected an http or https URL", issuer.name[:80])
    if not issuer.audience or not all(issuer.audience):
        mistakes.add(
            f"{where}.audience", "expected at least one audience: a token for somebody else is none for us", issuer.name[:80]
        )
    if not 0 <= issuer.clock_skew_seconds <= 600:  # noqa: PLR2004 - ten minutes
        mistakes.add(f"{where}.clockSkewSeconds", "expected seconds, at most 600", issuer.name[:80])
    if not issuer.mapping:
        mistakes.add(f"{where}.mapping", "expected at least one [[oidc.mapping]]: nobody is let in without", issuer.name[:80])
    if issuer.proxy and issuer.proxy not in proxies:
        mistakes.add(f"{where}.proxy", "expected the key of a [[proxy]]", issuer.name[:80])


def _mapping(mapping: IdentityMapping, where: str, name: str, mistakes: Mistakes) -> None:
    if not mapping.claims:
        mistakes.add(f"{where}.claims", "expected at least one claim: everybody at this issuer would fit", name[:80])
    if bool(mapping.username) == bool(mapping.username_claim):
        mistakes.add(f"{where}.username", "expected this or usernameClaim", name[:80])
    if mapping.groups and mapping.scope:
        mistakes.add(f"{where}.scope", "expected this or groups, not both", name[:80])
    if not 1 <= mapping.expires_in <= _LONGEST:
        mistakes.add(f"{where}.expiresIn", f"expected seconds, at most {_LONGEST}", name[:80])
    try:
        Scope.of(mapping.scope or "applied-permissions/user")
    except RegproxyError as error:
        mistakes.add(f"{where}.scope", error.text, name[:80])
