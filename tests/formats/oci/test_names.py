"""Where an image repository keeps what its addresses name."""

import pytest

from regproxy.formats.oci.address import AddressError, Layer, Manifest, Ping, Referrers, Tags
from regproxy.formats.oci.names import canonical, fallback_tag, image_at, parse_path, want_for
from regproxy.model.digest import Digest
from regproxy.model.want import Shape, Want

HUB = "https://registry-1.docker.io"
QUAY = "https://quay.io"
SHA = Digest.of(b"")
SHA512 = Digest.of(b"", "sha512")


@pytest.mark.parametrize(
    ("upstream", "name", "expected"),
    [
        (HUB, "alpine", "library/alpine"),
        (f"{HUB}/", "library/alpine", "library/alpine"),
        (HUB, "bitnami/redis", "bitnami/redis"),
        ("https://index.docker.io", "alpine", "library/alpine"),
        ("https://docker.io:443", "alpine", "library/alpine"),
        (QUAY, "alpine", "alpine"),
        ("https://docker.io.example.org", "alpine", "alpine"),
    ],
)
def test_official_images_of_docker_hub(upstream: str, name: str, expected: str) -> None:
    """One component alone means ``library/`` at Docker Hub, and nowhere else."""
    assert expected == image_at(upstream, name)


def test_paths_and_wants() -> None:
    """Every kind of address has its node path, shape and address upstream."""
    assert Want(
        "library/alpine/3/manifest.json",
        Shape.DOCUMENT,
        name="library/alpine",
        version="3",
        upstream="library/alpine/manifests/3",
    ) == want_for(Manifest("alpine", "3"), HUB)
    assert Want(f"a/b/{SHA}/manifest.json", Shape.BLOB, name="a/b", digest=SHA, upstream=f"a/b/manifests/{SHA}") == want_for(
        Manifest("a/b", SHA), QUAY
    )
    assert Want(f"a/_layers/sha512__{SHA512.hex}", Shape.BLOB, name="a", digest=SHA512, upstream=f"a/blobs/{SHA512}") == want_for(
        Layer("a", SHA512), QUAY
    )
    assert Want("a/_tags/all.json", Shape.DOCUMENT, name="a", upstream="a/tags/list") == want_for(Tags("a"), QUAY)
    assert Want(f"a/_referrers/sha256__{SHA.hex}/all.json", Shape.DOCUMENT, name="a", upstream=f"a/referrers/{SHA}") == want_for(
        Referrers("a", SHA), QUAY, "artifactType=x&ns=quay.io"
    )


def test_pages_are_nodes_of_their_own() -> None:
    """The same page has one path, in whatever order its parameters come; what is meant for us is no part of it."""
    first = want_for(Tags("a"), QUAY, "last=x%2Fy&n=5&ns=docker.io")
    assert first == want_for(Tags("a"), QUAY, "n=5&last=x/y")
    assert (first.path, first.upstream) == ("a/_tags/last=x%2Fy&n=5.json", "a/tags/list?last=x%2Fy&n=5")


@pytest.mark.parametrize("query", ["n=-1", "n=x", "n=²", "a=" + "b" * 1024, "&".join("x=1" for _ in range(17))])
def test_absurd_queries(query: str) -> None:
    """A page is a number and a name; anything absurd is refused before it becomes a node."""
    with pytest.raises(AddressError) as caught:
        canonical(query)
    assert caught.value.code == "PAGINATION_NUMBER_INVALID"


@pytest.mark.parametrize(
    "address",
    [Manifest("a/b", "latest"), Manifest("a/b", SHA), Manifest("a", SHA512), Layer("a/b/c", SHA), Layer("a", SHA512)],
)
def test_node_paths_lead_back(address: Manifest | Layer) -> None:
    """The path of a node is an address of its own."""
    assert address == parse_path(want_for(address, QUAY).path.split("/"))


@pytest.mark.parametrize("path", ["a/b", "a/_tags/all.json", "a/_layers/x/y", "manifest.json"])
def test_other_paths_are_refused(path: str) -> None:
    """Only manifests and layers are served by their paths."""
    with pytest.raises(AddressError):
        parse_path(path.split("/"))
    assert Ping() == parse_path([""])


def test_fallback_tag_of_referrers() -> None:
    """Algorithm and value, cut to what a tag may have."""
    assert f"sha256-{SHA.hex}" == fallback_tag(SHA)
    assert f"sha512-{SHA512.hex[:64]}" == fallback_tag(SHA512)
