"""How a hub is asked: want → fetch. Pure.

What a file is, stands in the headers of the hub's own answers (``X-Linked-ETag``, else ``ETag``): the SHA-256 of an LFS file, the
Git blob SHA-1 of any other. What a CDN says of itself, behind the redirect to another origin, is not believed: its ETags name
other things.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from attrs import evolve

from regproxy.formats.huggingface.table import RULES
from regproxy.model.digest import GIT_SHA1, Digest
from regproxy.model.fetch import Announced, Fetch, Hop, announced
from regproxy.model.freshness import rule_for
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Shape, Want

OCTETS = "application/octet-stream"
CODE, MESSAGE, COMMIT = "x-error-code", "x-error-message", "x-repo-commit"
PLACE = "content-location"
"""Of a document that redirects have led to: the path of its own address."""

LINKED_ETAG, LINKED_SIZE = "x-linked-etag", "x-linked-size"

KEPT_OF_ERRORS = frozenset({CODE, MESSAGE, COMMIT, "ratelimit"})
_KEPT_OF_FILES = frozenset({LINKED_ETAG, LINKED_SIZE})
_KEPT_OF_DOCUMENTS = frozenset({"link", "x-total-count"})
_ALGORITHMS = {40: GIT_SHA1, 64: "sha256"}
_HEX = re.compile(r"[0-9a-f]+")
_LENGTH = re.compile(r"[0-9]{1,18}")  # 64 bits hold it
_OK, _REDIRECTS = 200, range(300, 400)


def plan(want: Want, settings: RepositorySettings) -> Fetch:
    """How to get it; ``settings.url`` is the endpoint of a hub."""
    fetch = Fetch(
        url=f"{settings.url.rstrip('/')}/{want.upstream}",
        freshness=rule_for(RULES, want.path).freshness,
        keep=KEPT_OF_ERRORS,
    )
    if want.shape is Shape.BLOB:
        return evolve(fetch, read=read_file, head_stops=says_all)
    return evolve(fetch, headers=Headers.of(accept="application/json"), read=_read_document)


def says_all(hop: Hop) -> bool:
    """Whether a redirect of the hub says what a HEAD wants to know, so that its target need not be asked."""
    return hop.status in _REDIRECTS and content_id([hop]) is not None and _size([hop]) is not None


def read_file(hops: Sequence[Hop]) -> Announced:
    """What a file's answer announces: the hub's content id and size.

    A HEAD that ends at a redirect does not see the type that a CDN would say; so that HEAD and GET agree, all are octets.
    """
    ours = [hop for hop in hops if _origin(hop) == _origin(hops[0])]
    digest = content_id(ours)
    linked = _size(ours)
    length = linked
    if length is None and hops[-1].status == _OK:
        length = announced(hops).head.length
    head = Head(
        length=length,
        media_type=OCTETS,
        etag=f'"{digest.hex}"' if digest else None,
        kept=_first_with(ours, LINKED_ETAG).only(_KEPT_OF_FILES if linked is not None else {LINKED_ETAG}),
    )
    return Announced(head, (digest,) if digest else ())


def content_id(hops: Sequence[Hop]) -> Digest | None:
    """What the hub's own answers say that a file's bytes hash to."""
    for name in (LINKED_ETAG, "etag"):
        for hop in hops:
            value = (hop.headers.first(name) or "").removeprefix("W/").strip('"')
            algorithm = _ALGORITHMS.get(len(value))
            if algorithm and _HEX.fullmatch(value):
                return Digest(algorithm, value)
    return None


def _size(hops: Sequence[Hop]) -> int | None:
    value = _first_with(hops, LINKED_SIZE).first(LINKED_SIZE) or ""
    return int(value) if _LENGTH.fullmatch(value) else None


def _first_with(hops: Sequence[Hop], name: str) -> Headers:
    return next((hop.headers for hop in hops if hop.headers.first(name)), Headers())


def _origin(hop: Hop) -> tuple[str, str]:
    parts = urlsplit(hop.url)
    return parts.scheme, parts.netloc


def _read_document(hops: Sequence[Hop]) -> Announced:
    found = announced(hops, keep=_KEPT_OF_DOCUMENTS)
    if len(hops) == 1:
        return found
    return evolve(found, head=evolve(found.head, kept=found.head.kept.plus((PLACE, urlsplit(hops[-1].url).path))))
