"""How a registry is asked, and what its answers announce."""

from regproxy.formats.oci.address import Layer, Manifest, Referrers, Tags
from regproxy.formats.oci.names import want_for
from regproxy.formats.oci.plan import MANIFEST_TYPES, SIGNED_SCHEMA_1, content_digest, plan
from regproxy.model.digest import Digest
from regproxy.model.fetch import Fetch, Hop
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings

SHA = Digest.of(b"manifest")
INDEX = "application/vnd.oci.image.index.v1+json"


def fetch_of(address: Manifest | Layer | Tags | Referrers, url: str = "https://ghcr.io", query: str = "") -> Fetch:
    """Plan it for a remote of this URL."""
    settings = RepositorySettings(key="r", rclass="remote", package_type="docker", url=url)
    return plan(want_for(address, url, query), settings)


def answer(status: int = 200, **headers: str) -> Hop:
    """One answer of upstream's."""
    return Hop("https://ghcr.io/v2/x", status, Headers.of(**headers))


def test_addresses_upstream() -> None:
    """A host, or an address that has ``/v2`` already; the token is asked for the name that upstream knows."""
    asked = [
        ("https://ghcr.io", "https://ghcr.io/v2/a/b/tags/list", "a/b"),
        ("https://ghcr.io/", "https://ghcr.io/v2/a/b/tags/list", "a/b"),
        ("https://h/v2", "https://h/v2/a/b/tags/list", "a/b"),
        ("https://h/v2/proj/", "https://h/v2/proj/a/b/tags/list", "proj/a/b"),
        ("https://h/api/docker/k", "https://h/api/docker/k/v2/a/b/tags/list", "a/b"),
    ]
    for url, expected, scope in asked:
        fetch = fetch_of(Tags("a/b"), url)
        assert (expected, scope) == (fetch.url, fetch.scope)
    assert fetch_of(Tags("a/b"), query="n=2").url == "https://ghcr.io/v2/a/b/tags/list?n=2"
    assert fetch_of(Manifest("alpine", "3"), "https://registry-1.docker.io").scope == "library/alpine"


def test_manifests_are_asked_for_in_every_modern_type() -> None:
    """One joined Accept, whatever the client accepts."""
    for reference in ("latest", SHA):
        fetch = fetch_of(Manifest("a", reference))
        assert (", ".join((*MANIFEST_TYPES, "*/*")),) == fetch.headers.all("accept")


def test_freshness() -> None:
    """Digests never change, tags and lists are believed for a minute."""
    assert [fetch_of(address).freshness.period for address in (Layer("a", SHA), Manifest("a", SHA))] == [None, None]
    assert [fetch_of(address).freshness.period for address in (Manifest("a", "t"), Tags("a"), Referrers("a", SHA))] == [60.0] * 3


def test_tag_is_verified_and_kept_at_its_digest() -> None:
    """Docker-Content-Digest is what the body must hash to, the ETag, and the path of a second node."""
    found = fetch_of(Manifest("a", "t")).read(
        [answer(content_type=f"{INDEX}; charset=utf-8", docker_content_digest=str(SHA), etag='"other"', content_length="8")]
    )
    assert Head(length=8, media_type=INDEX, etag=f'"{SHA}"') == found.head
    assert ((SHA,), (f"a/{SHA}/manifest.json",)) == (found.digests, found.also)


def test_tag_without_a_promise() -> None:
    """A registry that names no digest, or nonsense, is believed; what is served is then named by its own bytes."""
    for hop in (answer(content_type=INDEX), answer(content_type=INDEX, docker_content_digest="nonsense")):
        found = fetch_of(Manifest("a", "t")).read([hop])
        assert (found.digests, found.also) == ((), ())
        assert content_digest(found.head.landed(8, SHA.hex)) == SHA


def test_signed_schema_1_cannot_be_verified() -> None:
    """Its digest covers a part of the bytes: it names the manifest, and nothing more."""
    found = fetch_of(Manifest("a", "t")).read([answer(content_type=SIGNED_SCHEMA_1, docker_content_digest=str(SHA))])
    assert ((), (), f'"{SHA}"') == (found.digests, found.also, found.head.etag)


def test_tag_is_unchanged_while_its_digest_is() -> None:
    """The HEAD's digest decides; a registry that says none is asked by GET."""
    probe = fetch_of(Manifest("a", "t")).probe
    assert probe is not None
    held = Head(etag=f'"{SHA}"')
    assert probe.unchanged(held, [answer(docker_content_digest=str(SHA))])
    assert probe.unchanged(Head(sha256=SHA.hex), [answer(docker_content_digest=str(SHA))])
    assert not probe.unchanged(held, [answer(docker_content_digest=str(Digest.of(b"new")))])
    assert not probe.unchanged(held, [answer(etag=f'"{SHA}"')])
    assert not probe.unchanged(Head(), [answer()])


def test_redirect_speaks_for_its_target() -> None:
    """A digest in the headers of a redirect counts for the body behind it."""
    hops = [answer(307, docker_content_digest=str(SHA), location="https://cdn/x"), answer(content_type=INDEX)]
    assert fetch_of(Manifest("a", "t")).read(hops).digests == (SHA,)


def test_blobs_are_octets_named_by_their_address() -> None:
    """What a CDN calls them or tags them with does not count."""
    found = fetch_of(Layer("a", SHA)).read([answer(content_type="binary/octet-stream", etag='"cdn"', content_length="5")])
    assert Head(length=5, media_type="application/octet-stream", etag=f'"{SHA}"') == found.head
    assert found.digests == (SHA,)


def test_manifest_by_digest_keeps_its_type() -> None:
    """Exactly what upstream says, without parameters."""
    found = fetch_of(Manifest("a", SHA)).read([answer(content_type="application/vnd.example+json;v=1")])
    assert ("application/vnd.example+json", f'"{SHA}"', (SHA,)) == (found.head.media_type, found.head.etag, found.digests)


def test_lists_keep_their_link() -> None:
    """The link to the next page is stored with the page."""
    found = fetch_of(Tags("a")).read([answer(content_type="application/json", link='</v2/a/tags/list?last=x>; rel="next"')])
    assert found.head.kept.first("link") == '</v2/a/tags/list?last=x>; rel="next"'
