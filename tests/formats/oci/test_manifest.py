"""What is read of a manifest: whatever is pushed, it is taken or refused in the specification's words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.formats.oci.address import AddressError
from regproxy.formats.oci.manifest import descriptor, read_manifest
from regproxy.formats.oci.plan import INDEX, MANIFEST_TYPES
from regproxy.model.digest import Digest

IMAGE, LIST, V2 = MANIFEST_TYPES[1:]
CONFIG, LAYER, CHILD = (Digest.of(data) for data in (b"config", b"layer", b"child"))
KEYS = (
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "blobs",
    "manifests",
    "subject",
    "artifactType",
    "annotations",
    "digest",
    "urls",
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([str(CONFIG), IMAGE, INDEX]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=5),
)


def image(**further: Any) -> bytes:
    """A manifest with one layer."""
    config = {"mediaType": "a/config", "digest": str(CONFIG), "size": 1}
    body = {"schemaVersion": 2, "config": config, "layers": [{"mediaType": "a/b", "digest": str(LAYER), "size": 1}], **further}
    return json.dumps(body).encode()


@given(anything, st.sampled_from([None, "", IMAGE, INDEX, "application/json", "x/y; charset=utf-8"]))
def test_nothing_else_happens(document: Any, content_type: str | None) -> None:
    """Any JSON is a manifest or MANIFEST_INVALID; what is taken can be listed."""
    outcome = taken(json.dumps(document).encode(), content_type)
    assert outcome in ("taken", "MANIFEST_INVALID")


def taken(body: bytes, content_type: str | None) -> str:
    """What became of a manifest; whatever is taken is listed, too."""
    try:
        found = read_manifest(body, content_type)
    except AddressError as error:
        return error.code
    json.dumps(descriptor(found, CONFIG, 1), ensure_ascii=False).encode()
    return "taken"


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    """Bytes that are no JSON are refused."""
    with pytest.raises(AddressError):
        read_manifest(body, IMAGE)


@pytest.mark.parametrize("body", [image(annotations={"k": "\ud800"}), b"[" * 100_000, b'{"schemaVersion": ' + b"9" * 5000 + b"}"])
def test_json_that_cannot_be_listed(body: bytes) -> None:
    """What could be read but not written again is refused: a referrer that is listed must not spoil the list."""
    with pytest.raises(AddressError):
        read_manifest(body, IMAGE)


def test_what_it_refers_to() -> None:
    """Configuration and layers, but for those to be got elsewhere; what an index lists; the subject."""
    foreign = {"digest": str(CHILD), "urls": ["https://example.com"]}
    found = read_manifest(image(layers=[{"digest": str(LAYER)}, foreign], subject={"digest": str(CHILD)}), IMAGE)
    assert ((CONFIG, LAYER), (), CHILD) == (found.layers, found.manifests, found.subject)
    listed = read_manifest(json.dumps({"schemaVersion": 2, "manifests": [{"digest": str(CHILD)}]}).encode(), INDEX)
    assert ((), (CHILD,), None, None) == (listed.layers, listed.manifests, listed.subject, listed.artifact_type)


@pytest.mark.parametrize(
    ("own", "said", "expected"),
    [
        (None, IMAGE, IMAGE),
        (IMAGE, None, IMAGE),
        (V2, "application/json", V2),
        (IMAGE, f"{IMAGE}; charset=utf-8", IMAGE),
        (None, None, IMAGE),
        ("application/vnd.example+json", None, "application/vnd.example+json"),
    ],
)
def test_media_type(own: str | None, said: str | None, expected: str) -> None:
    """What the document calls itself, else what the request says."""
    assert expected == read_manifest(image(mediaType=own) if own else image(), said).media_type


def test_types_of_artifacts() -> None:
    """Their own word, else that of the configuration."""
    assert "a/config" == read_manifest(image(), IMAGE).artifact_type
    found = read_manifest(image(artifactType="a/type", annotations={"k": "v", "n": 1}), IMAGE)
    assert {
        "mediaType": IMAGE,
        "digest": str(LAYER),
        "size": 3,
        "artifactType": "a/type",
        "annotations": {"k": "v"},
    } == descriptor(found, LAYER, 3)
