"""Where the hub's things lie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.formats.huggingface.address import AddressError, AuthCheck, Commits, File, Id, Info, Listing, Refs, Tree, Type
from regproxy.formats.huggingface.names import Document, canonical, document_want, file_want, tree_query
from regproxy.formats.huggingface.table import FOREVER, MINUTE, RULES
from regproxy.model.freshness import Freshness, rule_for
from regproxy.model.want import Shape

SHA = "0123456789abcdef0123456789abcdef01234567"
TINY = Id(Type.MODELS, "acme", "tiny")
ROWS = Id(Type.DATASETS, "", "rows")
REPO = "models/acme/tiny"


@pytest.mark.parametrize(
    ("file", "path", "upstream"),
    [
        (File(TINY, SHA, "on/a b.txt"), f"{REPO}/{SHA}/on/a b.txt", f"acme/tiny/resolve/{SHA}/on/a%20b.txt"),
        (File(ROWS, SHA, "a#?.csv"), f"datasets/_/rows/{SHA}/a#?.csv", f"datasets/rows/resolve/{SHA}/a%23%3F.csv"),
    ],
)
def test_files(file: File, path: str, upstream: str) -> None:
    """A file lies below its commit, for ever."""
    want = file_want(file, body=False)
    assert (path, upstream, Shape.BLOB, False) == (want.path, want.upstream, want.shape, want.body)
    assert FOREVER == rule_for(RULES, want.path).freshness


@pytest.mark.parametrize(
    ("address", "query", "path", "upstream", "freshness"),
    [
        (Info(TINY), "", f"{REPO}/_info.json", "api/models/acme/tiny", MINUTE),
        (Info(ROWS), "", "datasets/_/rows/_info.json", "api/datasets/rows", MINUTE),
        (Info(TINY, "dev/x"), "", f"{REPO}/_refs/dev%2Fx", "api/models/acme/tiny/revision/dev%2Fx", MINUTE),
        (
            Info(TINY, SHA),
            "blobs=True",
            f"{REPO}/_refs/{SHA}?blobs=true",
            f"api/models/acme/tiny/revision/{SHA}?blobs=true",
            MINUTE,
        ),
        (
            Tree(TINY, SHA),
            "recursive=True&expand=False",
            f"{REPO}/_trees/{SHA}.json?recursive=true",
            f"api/models/acme/tiny/tree/{SHA}?recursive=true",
            FOREVER,
        ),
        (
            Tree(TINY, SHA, "on/x y"),
            "recursive=false",
            f"{REPO}/_trees/{SHA}/on/x%20y.json",
            f"api/models/acme/tiny/tree/{SHA}/on%2Fx%20y",
            FOREVER,
        ),
        (
            Tree(TINY, SHA),
            "expand=true&cursor=a%2Bb",
            f"{REPO}/_trees/{SHA}.json?cursor=a%2Bb&expand=true",
            f"api/models/acme/tiny/tree/{SHA}?cursor=a%2Bb&expand=true",
            MINUTE,
        ),
        (Refs(TINY), "include_prs=1", f"{REPO}/_refs.json?include_prs=1", "api/models/acme/tiny/refs?include_prs=1", MINUTE),
        (AuthCheck(TINY), "", f"{REPO}/_auth-check", "api/models/acme/tiny/auth-check", MINUTE),
        (Commits(TINY, "main"), "", f"{REPO}/_commits/main.json", "api/models/acme/tiny/commits/main", MINUTE),
        (
            Listing(Type.MODELS),
            "limit=2&filter=b&filter=a",
            "models/_list.json?09a4297df3d1a08cd03b9ad880bfdc36",
            "api/models?filter=a&filter=b&limit=2",
            MINUTE,
        ),
    ],
)
def test_documents(address: Document, query: str, path: str, upstream: str, freshness: Freshness) -> None:
    """Documents have the canonical query in their names, lists a digest of it; trees of commits are kept for
    ever, unless they are expanded.
    """
    want = document_want(address, query)
    assert (path, upstream, Shape.DOCUMENT) == (want.path, want.upstream, want.shape)
    assert freshness == rule_for(RULES, want.path).freshness


def test_absurd_query() -> None:
    """Refused before anybody upstream hears of it."""
    with pytest.raises(AddressError):
        canonical("&".join(f"a{number}=1" for number in range(100)))
    with pytest.raises(AddressError):
        canonical("a=" + "b" * 5000)


@given(st.lists(st.tuples(st.sampled_from(["recursive", "expand", "cursor", "z"]), st.text(max_size=5)), max_size=6))
def test_queries_are_stable(pairs: list[tuple[str, str]]) -> None:
    """What is canonical stays as it is."""
    text = "&".join(f"{name}={value.encode().hex()}" for name, value in pairs)
    assert canonical(canonical(text)) == canonical(text)
    assert tree_query(tree_query(text)) == tree_query(text)


_REVISION = st.text("ab/%?.", min_size=1, max_size=6)


@given(_REVISION, _REVISION, st.text("ab/.", max_size=6))
def test_no_two_addresses_share_a_node(one: str, other: str, folder: str) -> None:
    """Revisions that differ lie at paths that differ; so do a tree and a file."""
    paths = [document_want(Info(TINY, revision)).path for revision in (one, other)]
    assert (one == other) == (paths[0] == paths[1])
    assert document_want(Tree(TINY, SHA, folder)).path != file_want(File(TINY, SHA, folder or "x"), body=True).path
