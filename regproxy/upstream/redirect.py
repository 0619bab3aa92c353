"""Where a redirect leads. Pure, but for throwing its body away.

Ours and not the library's, because that one neither reads the bodies of redirects, nor shows their headers, nor checks where they
lead.
"""

from collections.abc import Collection
from urllib.parse import urljoin

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from regproxy.errors import Kind, RegproxyError
from regproxy.model.fetch import Hop
from regproxy.upstream.origin import Origin, clean_url
from regproxy.upstream.source import Bodied, Drop

MAX_REDIRECTS = 10
STATUSES = frozenset({301, 302, 303, 307, 308})
DISCARDED = 64 << 10
PATIENCE = 0.5


def leads_on(hop: Hop) -> bool:
    """Whether an answer is a redirect; one without a Location is not."""
    return hop.status in STATUSES and bool(hop.headers.first("location"))


def next_url(hop: Hop, seen: Collection[str]) -> str:
    """The URL that a redirect leads to.

    Raises:
        RegproxyError: UPSTREAM_BAD for too many, for a circle, for a target that is none, and for one that leaves https.
    """
    here = Origin.of(hop.url)
    if len(seen) > MAX_REDIRECTS:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{here} redirects too often")
    try:
        location = clean_url(hop.headers.first("location") or "", "latin-1")
        url = clean_url(urljoin(hop.url, location))
    except ValueError as error:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{here} redirects to an address that is none") from error
    if here.scheme == "https" and Origin.of(url).scheme != "https":
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{here} redirects from https to http")
    if url in seen:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{here} redirects in a circle")
    return url


def discard(response: Bodied, clock: IReactorTime) -> Deferred[None]:
    """Throw a short body away and keep its connection; drop the connection of a long or slow one.

    Returns:
        Fires when that is done, soon in any case: who waits for it may have the connection again. It may be cancelled.
    """
    dropping = Drop(DISCARDED)
    dropping.ends_with(clock.callLater(PATIENCE, dropping.stop))
    response.deliverBody(dropping)
    return dropping.done
