"""Where an image repository keeps things: address → want, and node path → address. Pure.

    {image}/{tag}/manifest.json                    a tag
    {image}/sha256:{hex}/manifest.json             a manifest
    {image}/_layers/sha256__{hex}                  a blob
    {image}/_tags/{query or "all"}.json            one page of the tag list, as upstream sent it
    {image}/_referrers/sha256__{hex}/{query or "all"}.json

No component of an image's name begins with an underscore, so these never meet. The query of a page is sorted and encoded.
"""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urlsplit

from regproxy.errors import Kind
from regproxy.formats.oci.address import (
    REMEMBERED,
    Address,
    AddressError,
    Layer,
    Manifest,
    Ping,
    Referrers,
    Tags,
    parse_digest,
    parse_name,
    parse_reference,
)
from regproxy.formats.oci.table import RULES
from regproxy.model.digest import Digest
from regproxy.model.freshness import rule_for
from regproxy.model.want import Want

PACKAGE_TYPES = frozenset({"docker", "oci"})
HUB_HOSTS = frozenset({"registry-1.docker.io", "index.docker.io", "docker.io"})
OURS = frozenset({"ns", "artifactType"})
"""Parameters that are meant for us and never for upstream: the mirrored host, and a filter that we apply ourselves."""

QUERY_LIMIT = 1024
_ALL = "all"
_FIELDS = 16


def image_at(upstream: str, name: str) -> str:
    """The name that upstream knows: Docker Hub keeps its official images below ``library/``."""
    official = "/" not in name and (urlsplit(upstream).hostname or "") in HUB_HOSTS
    return f"library/{name}" if official else name


def canonical(query: str) -> str:
    """The parameters of a page that upstream is to see, sorted; ``AddressError`` for an absurd query."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS) if len(query) <= QUERY_LIMIT else None
    except ValueError:
        pairs = None
    if pairs is None:
        raise AddressError(Kind.INVALID, "PAGINATION_NUMBER_INVALID", "the query is too long")
    kept = sorted(pair for pair in pairs if pair[0] not in OURS)
    if any(name == "n" and not (value.isascii() and value.isdigit()) for name, value in kept):
        raise AddressError(Kind.INVALID, "PAGINATION_NUMBER_INVALID", "n is not a number")
    return urlencode(kept)


def artifact_type(query: str) -> str | None:
    """The kind of referrers that a client wants to see; None for all."""
    return next((value for name, value in parse_qsl(query) if name == "artifactType"), None)


def mirrored_host(query: str) -> str | None:
    """The host that a client believes to talk to (containerd's ``?ns=``)."""
    if not query:
        return None
    return next((value for name, value in parse_qsl(query) if name == "ns"), None)


@lru_cache(maxsize=REMEMBERED)
def want_for(address: Manifest | Layer | Tags | Referrers, upstream: str, query: str = "") -> Want:
    """What to ask of a repository whose upstream is at this URL; ``query`` counts for lists only.

    A tag is wanted with its body even for a HEAD: engines ask HEAD by tag and GET by digest, and the tag has to be there when
    upstream is not.
    """
    image = image_at(upstream, address.name)
    match address:
        case Manifest(_, Digest() as digest):
            return _want(f"{image}/{digest}/manifest.json", image, f"manifests/{digest}", digest)
        case Manifest(_, tag):
            return _want(f"{image}/{tag}/manifest.json", image, f"manifests/{tag}", version=str(tag))
        case Layer(_, digest):
            return _want(f"{image}/_layers/{_folder(digest)}", image, f"blobs/{digest}", digest)
        case Tags():
            page = canonical(query)
            return _want(f"{image}/_tags/{page or _ALL}.json", image, _with_query("tags/list", page))
        case Referrers(_, digest):
            page = canonical(query)
            path = f"{image}/_referrers/{_folder(digest)}/{page or _ALL}.json"
            return _want(path, image, _with_query(f"referrers/{digest}", page))


def parse_path(segments: Iterable[str]) -> Address:
    """Read the path of a node that has bytes of an image, as browsing shows it; ``AddressError`` for any other."""
    match list(segments):
        case [*name, reference, "manifest.json"]:
            return Manifest(parse_name(name), parse_reference(reference))
        case [*name, "_layers", folder]:
            algorithm, _, value = folder.partition("__")
            return Layer(parse_name(name), parse_digest(f"{algorithm}:{value}"))
        case [] | [""]:
            return Ping()
        case _:
            raise AddressError(Kind.NOT_FOUND, "UNSUPPORTED", "no manifest and no layer has this path")


def fallback_tag(digest: Digest) -> str:
    """The tag that stands in for the referrers of a digest at registries without that API."""
    return f"{digest.algorithm[:32]}-{digest.hex[:64]}"


def _want(path: str, image: str, upstream: str, digest: Digest | None = None, version: str = "") -> Want:
    shape = rule_for(RULES, path).shape
    return Want(path, shape, name=image, version=version, digest=digest, upstream=f"{image}/{upstream}")


def _folder(digest: Digest) -> str:
    return f"{digest.algorithm}__{digest.hex}"


def _with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path
