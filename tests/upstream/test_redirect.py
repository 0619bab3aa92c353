"""Where redirects lead."""

import pytest

from regproxy.errors import RegproxyError
from regproxy.model.fetch import Hop
from regproxy.model.headers import Headers
from regproxy.upstream.redirect import leads_on, next_url

HERE = "https://host.test/a/b?c=d"


def hop(location: str | None, status: int = 302, url: str = HERE) -> Hop:
    """A redirect."""
    return Hop(url, status, Headers.of(location=location) if location is not None else Headers())


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("c", "https://host.test/a/c"),
        ("/c?x=1#frag", "https://host.test/c?x=1"),
        ("//other.test/c", "https://other.test/c"),
        ("?x", "https://host.test/a/b?x"),
        ("https://other.test:8443/a b", "https://other.test:8443/a%20b"),
        ("/\u00c3\u00a4", "https://host.test/%C3%A4"),
        ("/%2F%3a", "https://host.test/%2F%3a"),
    ],
)
def test_targets(location: str, url: str) -> None:
    """Relative or absolute, and never changed where it is encoded already."""
    assert next_url(hop(location), [HERE]) == url


@pytest.mark.parametrize(
    "location", ["http://host.test/a", "http://other.test/", "ftp://host.test/", HERE, "https://u@host.test/", "https://["]
)
def test_refused(location: str) -> None:
    """Not to plain http, not to oneself, not with credentials, not nowhere."""
    with pytest.raises(RegproxyError):
        next_url(hop(location), [HERE])


@pytest.mark.parametrize(
    ("status", "location", "leads"),
    [(302, "/x", True), (308, "/x", True), (304, "/x", False), (300, "/x", False), (302, None, False), (200, "/x", False)],
)
def test_leads_on(status: int, location: str | None, *, leads: bool) -> None:
    """Only what says where to."""
    assert leads_on(hop(location, status)) == leads
