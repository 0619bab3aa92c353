"""How a registry is asked: want → fetch. Pure.

Every manifest request names all modern types and then anything else, in one field: a registry never has a reason to convert,
and what it stores is what is stored here. A stale tag is revalidated by HEAD, which costs nothing at Docker Hub, where a GET
counts as a pull. A manifest that is got by its tag is kept at its digest as well, where engines ask for it next.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from attrs import evolve

from regproxy.formats.oci.table import RULES
from regproxy.model.digest import Digest
from regproxy.model.fetch import Announced, Fetch, Hop, Probe, announced
from regproxy.model.freshness import rule_for
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPES = (
    INDEX,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SIGNED_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
OCTETS = "application/octet-stream"
DIGEST_HEADER = "docker-content-digest"

_MANIFEST = Headers.of(accept=", ".join((*MANIFEST_TYPES, "*/*")))
_ANY = Headers.of(accept="*/*")
_KEPT_OF_ERRORS = frozenset({"ratelimit-limit", "ratelimit-remaining"})


def plan(want: Want, settings: RepositorySettings) -> Fetch:
    """How to get it; ``settings.url`` is the host of a registry, or an address whose path begins with ``/v2``."""
    root, prefix = _api_root(settings.url)
    fetch = Fetch(
        url=f"{root}{prefix}{want.upstream}",
        freshness=rule_for(RULES, want.path).freshness,
        headers=_ANY,
        keep=_KEPT_OF_ERRORS,
        scope=f"{prefix}{want.name}",
    )
    digest = want.digest
    if "/_layers/" in want.path:
        return evolve(fetch, read=lambda hops: _read_layer(hops, digest))
    if "/_tags/" in want.path or "/_referrers/" in want.path:
        return evolve(fetch, headers=Headers.of(accept=f"{INDEX}, application/json, */*;q=0.1"), read=_read_list)
    if digest is not None:
        return evolve(fetch, headers=_MANIFEST, read=lambda hops: _read_manifest(hops, digest))
    image = want.name
    return evolve(fetch, headers=_MANIFEST, read=lambda hops: _read_tag(hops, image), probe=Probe(_MANIFEST, _unchanged))


def content_digest(head: Head) -> Digest | None:
    """The digest of a manifest or blob that is served: what upstream called it, else what we know of the bytes."""
    text = (head.etag or "").strip('"')
    try:
        return Digest.parse(text)
    except ValueError:
        return Digest("sha256", head.sha256) if head.sha256 else None


def _api_root(url: str) -> tuple[str, str]:
    """Where ``{image}/manifests/…`` is appended, and the part of the image's name that the operator's URL has already."""
    parts = urlsplit(url.rstrip("/"))
    components = parts.path.strip("/").split("/")
    if components[0] == "v2":
        prefix = "/".join(components[1:])
        return f"{parts.scheme}://{parts.netloc}/v2/", f"{prefix}/" if prefix else ""
    return f"{url.rstrip('/')}/v2/", ""


def _promised(hops: Sequence[Hop]) -> Digest | None:
    """What an answer says that its body hashes to: the first hop that says so, for a redirect speaks for its target."""
    for hop in hops:
        text = hop.headers.first(DIGEST_HEADER)
        if text:
            try:
                return Digest.parse(text)
            except ValueError:
                return None
    return None


def _bare_type(headers: Headers) -> str | None:
    text = headers.first("content-type")
    return text.partition(";")[0].strip() if text else None


def _read_manifest(hops: Sequence[Hop], digest: Digest | None) -> Announced:
    found = announced(hops, digest=digest)
    return evolve(found, head=evolve(found.head, media_type=_bare_type(hops[-1].headers)))


def _read_tag(hops: Sequence[Hop], image: str) -> Announced:
    """A tag's manifest: verified by the digest in its headers, and kept at that digest too.

    Of a signed schema 1 manifest the digest covers a part only, so that it can be named by it but not verified.
    """
    digest = _promised(hops)
    found = _read_manifest(hops, digest)
    if digest is None or found.head.media_type == SIGNED_SCHEMA_1:
        return evolve(found, digests=())
    return evolve(found, also=(f"{image}/{digest}/manifest.json",))


def _read_layer(hops: Sequence[Hop], digest: Digest | None) -> Announced:
    found = announced(hops, digest=digest)
    return evolve(found, head=evolve(found.head, media_type=OCTETS))


def _read_list(hops: Sequence[Hop]) -> Announced:
    return announced(hops, keep=frozenset({"link"}))


def _unchanged(stored: Head, hops: Sequence[Hop]) -> bool:
    promised = _promised(hops)
    return promised is not None and promised == content_digest(stored)
