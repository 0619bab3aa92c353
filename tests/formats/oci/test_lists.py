"""Tags and referrers as they are served."""

import json

import pytest

from regproxy.formats.oci.lists import link_header, referrers_text, tags_text
from regproxy.model.headers import Headers

INDEX = "application/vnd.oci.image.index.v1+json"


def test_tags_have_the_name_that_was_asked_by() -> None:
    """Upstream's name for the image is its own affair."""
    text = tags_text(b'{"name":"library/alpine","tags":["3","edge"]}', "alpine", Headers())
    assert json.loads(text.body) == {"name": "alpine", "tags": ["3", "edge"]}
    assert text.etag is not None
    assert text.etag.startswith('"sha256:')


def test_no_tags() -> None:
    """An image without tags has an empty list, though some registries say null."""
    assert json.loads(tags_text(b'{"name":"a","tags":null}', "a", Headers()).body) == {"name": "a", "tags": []}


@pytest.mark.parametrize("document", [b"", b"<html>", b"[]", b'{"tags":"x"}', b'{"tags":[1]}', b"\xff"])
def test_documents_that_are_no_tag_list(document: bytes) -> None:
    """They are refused, not passed on."""
    with pytest.raises(ValueError, match=r".*"):
        tags_text(document, "a", Headers())


def test_referrers() -> None:
    """Descriptors are passed on as they are, annotations and all, in exactly the specified type."""
    one = {"mediaType": "m", "digest": "d", "size": 1, "artifactType": "sig", "annotations": {"k": "v"}}
    other = {"mediaType": "m", "digest": "e", "size": 1, "artifactType": "sbom"}
    document = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [one, other]}).encode()
    everything = referrers_text(document, None)
    assert everything.media_type == INDEX
    assert [one, other] == json.loads(everything.body)["manifests"]
    assert everything.headers.first("oci-filters-applied") is None
    signatures = referrers_text(document, "sig")
    assert {"schemaVersion": 2, "mediaType": INDEX, "manifests": [one]} == json.loads(signatures.body)
    assert signatures.headers.first("oci-filters-applied") == "artifactType"


def test_no_referrers() -> None:
    """Nothing refers to it: an empty index."""
    assert json.loads(referrers_text(None, None).body) == {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}


@pytest.mark.parametrize(
    ("upstream", "asked", "expected"),
    [
        ('</v2/library/a/tags/list?last=z&n=2>; rel="next"', "n=2", '</v2/hub/a/tags/list?last=z&n=2>; rel="next"'),
        ("<https://up/v2/a/tags/list?next_page=gA%3D>; rel=next", "", '</v2/hub/a/tags/list?next_page=gA%3D>; rel="next"'),
        ('</x?n=1>; rel="prev", </x?n=2>; rel="next"', "", '</v2/hub/a/tags/list?n=2>; rel="next"'),
        ("<?last=z>; rel=next", "ns=docker.io&n=1", '</v2/hub/a/tags/list?last=z&ns=docker.io>; rel="next"'),
        ('</x?last=a"b%0d%0ac>; rel="next"', "", '</v2/hub/a/tags/list?last=a%22b%0D%0Ac>; rel="next"'),
        ("</x>; rel=next", "", None),
        ("nonsense", "", None),
        (None, "", None),
    ],
)
def test_next_page_is_ours(upstream: str | None, asked: str, expected: str | None) -> None:
    """The path is the one that the client used, the cursor is upstream's."""
    assert expected == link_header(upstream, "/v2/hub/a/tags/list", asked).first("link")
