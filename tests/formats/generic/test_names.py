"""Addresses of files become nodes."""

import pytest

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.generic.names import want_for
from regproxy.model.want import Shape, Want

NONE: frozenset[int] = frozenset()


def test_the_path_is_the_node() -> None:
    """Decoded already, joined by slashes."""
    assert want_for(("v1", "a b.zip"), NONE, body=True) == Want("v1/a b.zip", Shape.FILE, upstream="v1/a b.zip")


def test_another_query_is_another_node() -> None:
    """The upstream path is the same."""
    want = want_for(("a",), NONE, body=False, query="x=1")
    assert (want.path, want.upstream, want.query, want.body) == ("a?x=1", "a", "x=1", False)


@pytest.mark.parametrize("segments", [(), ("",), ("a", ""), ("a", "", "b")])
def test_folders_are_not_found(segments: tuple[str, ...]) -> None:
    """Nor are empty segments."""
    with pytest.raises(RegproxyError) as caught:
        want_for(segments, NONE, body=True)
    assert caught.value.kind is Kind.NOT_FOUND


def test_encoded_slashes_are_refused() -> None:
    """Two addresses would be one node."""
    with pytest.raises(RegproxyError) as caught:
        want_for(("a/b",), frozenset({0}), body=True)
    assert caught.value.kind is Kind.INVALID
