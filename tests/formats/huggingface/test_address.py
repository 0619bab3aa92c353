"""Addresses of the hub's API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import (
    Address,
    AddressError,
    AuthCheck,
    Commits,
    File,
    Fixed,
    Id,
    Info,
    Listing,
    PathsInfo,
    Refs,
    Tree,
    Type,
    parse_address,
)

SHA = "0123456789abcdef0123456789abcdef01234567"
TINY = Id(Type.MODELS, "acme", "tiny")
GPT2 = Id(Type.MODELS, "", "gpt2")
ROWS = Id(Type.DATASETS, "acme", "rows")


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (("acme", "tiny", "resolve", "main", "a.txt"), File(TINY, "main", "a.txt")),
        (("acme", "tiny", "resolve", "refs/pr/1", "on", "a b.txt"), File(TINY, "refs/pr/1", "on/a b.txt")),
        (("acme", "tiny", "resolve", SHA, "resolve", "x"), File(TINY, SHA, "resolve/x")),
        (("gpt2", "resolve", "main", "a.txt"), File(GPT2, "main", "a.txt")),
        (("datasets", "acme", "rows", "resolve", "main", "a.csv"), File(ROWS, "main", "a.csv")),
        (("datasets", "squad", "resolve", "main", "a"), File(Id(Type.DATASETS, "", "squad"), "main", "a")),
        (("spaces", "acme", "app", "resolve", "main", "a"), File(Id(Type.SPACES, "acme", "app"), "main", "a")),
        (("models", "acme", "tiny", SHA, "on", "a"), File(TINY, SHA, "on/a")),
        (("models", "_", "gpt2", SHA, "a"), File(GPT2, SHA, "a")),
        (("api", "models", "acme", "tiny"), Info(TINY)),
        (("api", "models", "gpt2"), Info(GPT2)),
        (("api", "models", "acme", "tiny", "revision", "dev/x"), Info(TINY, "dev/x")),
        (("api", "models", "gpt2", "revision", "main"), Info(GPT2, "main")),
        (("api", "datasets", "acme", "rows", "tree", "main"), Tree(ROWS, "main")),
        (("api", "datasets", "acme", "rows", "tree", "main", "a/b"), Tree(ROWS, "main", "a/b")),
        (("api", "datasets", "acme", "rows", "tree", "main", "a", "b"), Tree(ROWS, "main", "a/b")),
        (("api", "models", "acme", "tiny", "paths-info", "main"), PathsInfo(TINY, "main")),
        (("api", "models", "acme", "tiny", "refs"), Refs(TINY)),
        (("api", "models", "acme", "tiny", "commits", "main"), Commits(TINY, "main")),
        (("api", "models", "acme", "tiny", "auth-check"), AuthCheck(TINY)),
        (("api", "spaces"), Listing(Type.SPACES)),
        (("api", "whoami-v2"), Fixed.WHO_AM_I),
        (("api", "validate-yaml"), Fixed.VALIDATE_YAML),
    ],
)
def test_addresses(segments: tuple[str, ...], expected: Address) -> None:
    """Each is read, whatever the number of segments of the id."""
    assert expected == parse_address(segments)


@pytest.mark.parametrize(
    ("segments", "kind", "code"),
    [
        (("",), Kind.NOT_FOUND, "NotFound"),
        (("api",), Kind.NOT_FOUND, "NotFound"),
        (("api", "agent-harnesses"), Kind.NOT_FOUND, "NotFound"),
        (("api", "kernels", "acme", "k"), Kind.NOT_FOUND, "NotFound"),
        (("kernels", "acme", "k", "resolve", "main", "a"), Kind.NOT_FOUND, "NotFound"),
        (("api", "models", "acme", "tiny", "discussions"), Kind.NOT_FOUND, "NotFound"),
        (("api", "models", "acme", "tiny", "tree"), Kind.NOT_FOUND, "NotFound"),
        (("api", "models", "acme", "tiny", "xet-read-token", SHA), Kind.NOT_FOUND, "NotFound"),
        (("api", "models", "acme", "tiny", "xet-write-token", "main"), Kind.DENIED, "ReadOnly"),
        (("api", "models", "acme", "tiny", "auth-check", "write"), Kind.DENIED, "ReadOnly"),
        (("acme", "tiny", "resolve", "main"), Kind.NOT_FOUND, "NotFound"),
        (("acme", "tiny", "resolve", "main", ""), Kind.NOT_FOUND, "EntryNotFound"),
        (("acme", "tiny", "resolve", "", "a"), Kind.NOT_FOUND, "RevisionNotFound"),
        (("acme", "tiny", "resolve", "a" * 256, "a"), Kind.NOT_FOUND, "RevisionNotFound"),
        (("acme", "ti--ny", "resolve", "main", "a"), Kind.NOT_FOUND, "RepoNotFound"),
        (("acme", "tiny.git", "resolve", "main", "a"), Kind.NOT_FOUND, "RepoNotFound"),
        (("acme", "a/b", "resolve", "main", "a"), Kind.NOT_FOUND, "RepoNotFound"),
        (("acme", "x" * 97, "resolve", "main", "a"), Kind.NOT_FOUND, "RepoNotFound"),
        (("_", "tiny", "resolve", "main", "a"), Kind.NOT_FOUND, "NotFound"),
    ],
)
def test_nonsense(segments: tuple[str, ...], kind: Kind, code: str) -> None:
    """What names nothing is refused in the hub's words."""
    with pytest.raises(AddressError) as trouble:
        parse_address(segments)
    assert (kind, code) == (trouble.value.kind, trouble.value.code)


@given(st.lists(st.sampled_from(["api", "models", "datasets", "resolve", "tree", "a", "", SHA, "x/y", "..", "_"]), max_size=8))
def test_any_path(segments: list[str]) -> None:
    """Every path is an address or is refused; no other exception."""
    try:
        found = parse_address(segments)
    except AddressError:
        return
    assert isinstance(found, Address)
