"""The external address: configured, from a trusted proxy, or as the client says."""

from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.web.http_headers import Headers

from regproxy.web.addresses import BaseUrl
from regproxy.web.request import ProxyRequest

FORWARDED = {"host": "inner:1", "x-forwarded-proto": "https", "x-forwarded-host": "outer.example"}


class Asked:
    """As much of a request as is looked at."""

    prefix = "/artifactory"

    def __init__(self, peer: str = "127.0.0.1", **fields: str) -> None:
        self.peer = peer
        self.headers = Headers({name: [value] for name, value in fields.items()})

    def getHeader(self, name: str) -> str | None:  # noqa: N802 - Twisted's name
        """A header."""
        values = self.headers.getRawHeaders(name)
        return values[0] if values else None

    def getClientAddress(self) -> Any:  # noqa: N802 - Twisted's name
        """The peer."""
        return IPv4Address("TCP", self.peer, 1)

    def isSecure(self) -> bool:  # noqa: N802 - Twisted's name
        """Plain."""
        return False


def told(url: BaseUrl, asked: Asked) -> str:
    """The address."""
    return url(cast(ProxyRequest, asked))


def test_configured() -> None:
    """It is what counts, without a slash at the end."""
    assert told(BaseUrl.of("https://x.example/", ("0.0.0.0/0",)), Asked(**FORWARDED)) == "https://x.example/artifactory"


def test_the_clients_own_word() -> None:
    """Where nobody is trusted."""
    assert told(BaseUrl.of("", ()), Asked(**FORWARDED)) == "http://inner:1/artifactory"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [("10.1.2.3", "https://outer.example/artifactory"), ("11.1.2.3", "http://inner:1/artifactory")],
)
def test_only_trusted_proxies_are_believed(peer: str, expected: str) -> None:
    """By their network."""
    assert told(BaseUrl.of("", ("10.0.0.0/8",)), Asked(peer, **FORWARDED)) == expected


def test_override() -> None:
    """Names the whole address; one that is none is passed over."""
    url = BaseUrl.of("", ("10.0.0.0/8",))
    override = {"host": "a", "x-jfrog-override-base-url": "https://o.example/artifactory/"}
    assert told(url, Asked("10.0.0.1", **override)) == "https://o.example/artifactory"
    assert told(url, Asked("10.0.0.1", host="a", **{"x-jfrog-override-base-url": "javascript:x"})) == "http://a/artifactory"


@pytest.mark.parametrize("host", ["a/<x>", "a b", 'a"', "u@a"])
def test_odd_hosts_are_passed_over(host: str) -> None:
    """Also from those who are trusted."""
    fields = {"host": "a", "x-forwarded-proto": "https", "x-forwarded-host": host}
    assert told(BaseUrl.of("", ("10.0.0.0/8",)), Asked("10.0.0.1", **fields)) == "http://a/artifactory"


def test_networks_are_checked() -> None:
    """When the configuration is read."""
    with pytest.raises(ValueError, match="network"):
        BaseUrl.of("", ("10.0.0.0/99",))
