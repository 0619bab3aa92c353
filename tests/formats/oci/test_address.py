"""Addresses of the registry API are read from the right, and refused in the specification's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.errors import Kind
from regproxy.formats.oci.address import (
    Address,
    AddressError,
    Begun,
    Images,
    Layer,
    Manifest,
    Ping,
    Referrers,
    Tags,
    Uploads,
    parse_address,
    parse_name,
)
from regproxy.model.digest import Digest

SHA256 = Digest.of(b"")
SHA512 = Digest.of(b"", "sha512")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", Ping()),
        ("alpine/manifests/3", Manifest("alpine", "3")),
        (f"alpine/manifests/{SHA256}", Manifest("alpine", SHA256)),
        (f"alpine/manifests/{SHA512}", Manifest("alpine", SHA512)),
        ("a/b/c/d/manifests/v1.0_x-y", Manifest("a/b/c/d", "v1.0_x-y")),
        ("a/manifests/blobs/manifests/list", Manifest("a/manifests/blobs", "list")),
        ("a/manifests/tags/list", Tags("a/manifests")),
        ("tags/list/tags/list", Tags("tags/list")),
        (f"blobs/blobs/blobs/{SHA256}", Layer("blobs/blobs", SHA256)),
        (f"a__b/c.d-e--f/referrers/{SHA256}", Referrers("a__b/c.d-e--f", SHA256)),
        ("a/manifests/_x", Manifest("a", "_x")),
        ("a/b/blobs/uploads/", Uploads("a/b")),
        ("a/b/blobs/uploads", Uploads("a/b")),
        (f"a/blobs/blobs/uploads/{'0' * 32}", Begun("a/blobs", "0" * 32)),
        ("_catalog", Images()),
    ],
)
def test_reads_from_the_right(path: str, expected: Address) -> None:
    """Names have any number of components, also such that are called like the API's own words."""
    assert expected == parse_address(path.split("/"))


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("A/manifests/1", Kind.INVALID, "NAME_INVALID"),
        ("a//b/manifests/1", Kind.INVALID, "NAME_INVALID"),
        ("manifests/1", Kind.INVALID, "NAME_INVALID"),
        ("-a/tags/list", Kind.INVALID, "NAME_INVALID"),
        ("a___b/tags/list", Kind.INVALID, "NAME_INVALID"),
        ("é/tags/list", Kind.INVALID, "NAME_INVALID"),
        ("a\n/tags/list", Kind.INVALID, "NAME_INVALID"),
        (f"{'a' * 256}/tags/list", Kind.INVALID, "NAME_INVALID"),
        ("a/blobs/latest", Kind.INVALID, "DIGEST_INVALID"),
        ("a/blobs/sha256:abc", Kind.INVALID, "DIGEST_INVALID"),
        (f"a/blobs/sha256:{SHA256.hex.upper()}", Kind.INVALID, "DIGEST_INVALID"),
        (f"a/blobs/{Digest.of(b'', 'md5')}", Kind.INVALID, "DIGEST_INVALID"),
        (f"a/blobs/{SHA256}\n", Kind.INVALID, "DIGEST_INVALID"),
        ("a/manifests/sha256:baddigeststring", Kind.INVALID, "DIGEST_INVALID"),
        ("a/referrers/x", Kind.INVALID, "DIGEST_INVALID"),
        ("a/manifests/.INVALID_MANIFEST_NAME", Kind.NOT_FOUND, "MANIFEST_UNKNOWN"),
        (f"a/manifests/{'t' * 129}", Kind.NOT_FOUND, "MANIFEST_UNKNOWN"),
        ("a/blobs/uploads/..", Kind.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        (f"a/blobs/uploads/{'0' * 33}", Kind.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        ("blobs/uploads/", Kind.INVALID, "NAME_INVALID"),
        ("a/tags", Kind.NOT_FOUND, "UNSUPPORTED"),
        ("token", Kind.NOT_FOUND, "UNSUPPORTED"),
    ],
)
def test_refuses_what_is_malformed(path: str, kind: Kind, code: str) -> None:
    """Each fault has its code."""
    with pytest.raises(AddressError) as caught:
        parse_address(path.split("/"))
    assert (kind, code) == (caught.value.kind, caught.value.code)


COMPONENT = st.from_regex(r"[a-z0-9]{1,8}(([._]|__|-{1,3})[a-z0-9]{1,8}){0,3}", fullmatch=True)


@given(st.lists(COMPONENT, min_size=1, max_size=5))
def test_every_name_of_the_grammar_is_a_name(components: list[str]) -> None:
    """What the specification's grammar makes is accepted, in every kind of address."""
    name = "/".join(components)
    assert name == parse_name(components)
    assert Manifest(name, "t") == parse_address([*components, "manifests", "t"])
    assert Tags(name) == parse_address([*components, "tags", "list"])


@given(st.lists(st.text(max_size=12), max_size=6))
def test_nothing_else_than_an_address_error_is_raised(segments: list[str]) -> None:
    """Whatever stands in an address, it is understood or refused."""
    try:
        code = None
        parse_address(segments)
    except AddressError as error:
        code = error.code
    assert code is None or code.replace("_", "").isupper()
