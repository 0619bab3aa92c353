"""TLS towards one upstream: whom we trust, and which certificate we show."""

from twisted.internet.ssl import optionsForClientTLS
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer
from typing import Any
from regproxy.model.settings import Configuration, RepositorySettings


@implementer(IPolicyForHTTPS)
class Policy:
    """TLS with the system's authorities."""

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        """Options for one connection."""
        return optionsForClientTLS(hostname.decode("ascii"))


def policy_for(settings: RepositorySettings, configuration: Configuration) -> Policy:
    """Make it."""
    return Policy()
