"""Fetches the documents of OIDC issuers, as from an upstream: by connections, certificates, proxies and limits of their own."""

from typing import Any

from twisted.internet.defer import Deferred

from regproxy.access.keys import Fetch, Keys
from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.model.settings import Configuration, Issuer, RepositorySettings
from regproxy.upstream.auth import Collected
from regproxy.upstream.client import make_upstream
from regproxy.upstream.interface import Question, Upstream

PATIENCE = 10.0
OK = 200


def keys_of(reactor: Any, issuer: Issuer, configuration: Configuration) -> Keys:
    """The keys of an issuer that is configured."""
    way = RepositorySettings(
        key=issuer.name,
        rclass="remote",
        url=issuer.jwks_url or issuer.issuer,
        ca_file=issuer.ca_file,
        proxy=issuer.proxy,
        disable_proxy=issuer.disable_proxy,
        allowed_hosts=issuer.allowed_hosts,
        enable_token_authentication=False,
    )
    return Keys(issuer, _fetch(make_upstream(reactor, way, configuration)), reactor)


def _fetch(upstream: Upstream) -> Fetch:
    async def fetched(url: str) -> bytes:
        reply = await upstream.ask(Question(url, headers=Headers.of(accept="application/json"), patience=PATIENCE))
        if reply.status != OK:
            reply.source.abort()
            raise RegproxyError(Kind.UPSTREAM_BAD, f"{upstream.name} answered {reply.status}")
        document = Collected()
        await reply.source.deliver(document)
        return bytes(document.data)

    return lambda url: Deferred.fromCoroutine(fetched(url))
