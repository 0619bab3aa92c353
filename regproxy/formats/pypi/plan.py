"""How an index is asked: want → fetch. Pure.

The JSON form of a page is asked for, and HTML is taken where upstream has no other. Where a file lies and what it hashes to
stands in its project's page; the want says it (``upstream``, ``digest``). Of a page the address that it came from in the end is
kept, under a name that never leaves this server: its relative links count from there.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from attrs import evolve

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.names import DOCUMENTS, PROJECTS_PATH
from regproxy.model.digest import Digest
from regproxy.model.fetch import Announced, Fetch, Hop, announced
from regproxy.model.freshness import IMMUTABLE, Freshness, Rule, rule_for
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Shape, Want

ORIGIN_URL = "x-regproxy-url"
SERIAL = "x-pypi-last-serial"
AS_IT_IS = "/."
FOREVER = ("cache-control", "public, max-age=31536000, immutable")

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"

_PAGE = Headers.of(accept=f"{JSON_TYPE}, {HTML_TYPE};q=0.2, text/html;q=0.1", accept_encoding="identity")
_API = Headers.of(accept="application/json", accept_encoding="identity")
_FILE = Headers.of(accept="*/*", accept_encoding="identity")
_INDEXES = frozenset({"simple", "+simple"})

RULES = (
    Rule(re.compile(rf"^{re.escape(PROJECTS_PATH)}$"), Shape.DOCUMENT, Freshness(600.0)),
    Rule(re.compile(rf"^{re.escape(DOCUMENTS)}/api/"), Shape.DOCUMENT, Freshness(600.0)),
    Rule(re.compile(rf"^{re.escape(DOCUMENTS)}/"), Shape.DOCUMENT, Freshness(60.0)),
    Rule(re.compile(r"\.(?:asc|provenance)$"), Shape.FILE, Freshness(3600.0)),
    Rule(re.compile(""), Shape.BLOB, IMMUTABLE),
)
UNVERIFIED = Freshness(3600.0)
"""Of a file whose index says no hash: upstream may have replaced it."""


def plan(want: Want, settings: RepositorySettings) -> Fetch:
    """How to get it. A file of which no index has been asked has no URL: it is served while it is held, and not fetched."""
    rule = rule_for(RULES, want.path)
    if rule.shape is not Shape.DOCUMENT:
        freshness = rule.freshness if want.shape is rule.shape else UNVERIFIED
        digest = want.digest
        return Fetch(want.upstream, freshness, _FILE, read=lambda hops: _read_file(hops, digest))
    url = document_url(want.path, settings)
    if want.path.startswith(f"{DOCUMENTS}/api/"):
        return Fetch(url, rule.freshness, _API)
    return Fetch(url, rule.freshness, _PAGE, read=_read_page, accept_html=True)


def index_url(settings: RepositorySettings) -> str:
    """The address of upstream's simple index, with a slash at the end.

    ``pyPIRegistryUrl`` or else ``url``; the suffix is appended unless the address ends with it, or with another usual name of an
    index. An empty suffix, or ``/.`` at the end of the address: it is taken as it is.
    """
    parts = urlsplit(settings.py_pi_registry_url or settings.url)
    path, suffix = parts.path, settings.py_pi_repository_suffix.strip("/")
    exact = path.endswith(AS_IT_IS) or not suffix
    path = path.removesuffix(AS_IT_IS).rstrip("/")
    last = path.rpartition("/")[2]
    if not (exact or last in _INDEXES or path.endswith(f"/{suffix}")):
        path = f"{path}/{suffix}"
    return urlunsplit((parts.scheme, parts.netloc, f"{path}/", "", ""))


def document_url(path: str, settings: RepositorySettings) -> str:
    """Where upstream has a document; ``RegproxyError`` (NOT_FOUND) if it cannot have one there."""
    index = index_url(settings)
    if path == PROJECTS_PATH:
        return index
    name = path.removeprefix(f"{DOCUMENTS}/").removesuffix(".json")
    if not name.startswith("api/"):
        return f"{index}{name}/"
    root, _, last = index.rstrip("/").rpartition("/")
    if last not in _INDEXES:
        raise RegproxyError(Kind.NOT_FOUND, "this upstream has no JSON API")
    return f"{root}/pypi/{name.removeprefix('api/')}/json"


def _read_page(hops: Sequence[Hop]) -> Announced:
    found = announced(hops, keep=frozenset({SERIAL}))
    parts = urlsplit(hops[-1].url)
    final = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return evolve(found, head=evolve(found.head, kept=found.head.kept.plus((ORIGIN_URL, final))))


def _read_file(hops: Sequence[Hop], digest: Digest | None) -> Announced:
    found = announced(hops, digest=digest)
    return evolve(found, head=evolve(found.head, kept=Headers((FOREVER,)))) if digest is not None else found
