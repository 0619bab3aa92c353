"""Wants → upstream requests. Pure."""

from urllib.parse import quote

from regproxy.formats.generic.table import RULES
from regproxy.model.fetch import Fetch
from regproxy.model.freshness import rule_for
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want

# What RFC 3986 allows in a segment as it is; all else is encoded once.
_SAFE = "!$&'()*+,;=:@~"


def plan(want: Want, settings: RepositorySettings) -> Fetch:
    """The same path below the upstream's URL; the query, where the operator passes it on, is part of the want."""
    path = "/".join(quote(segment, safe=_SAFE) for segment in want.upstream.split("/"))
    query = f"?{want.query}" if want.query else ""
    url = f"{settings.url.rstrip('/')}/{path}{query}"
    return Fetch(url, rule_for(RULES, want.path).freshness)
