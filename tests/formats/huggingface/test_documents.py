"""The hub's JSON as we serve it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.formats.huggingface.documents import asked_paths, entries, next_query, read_commit, without_xet

SHA = "0123456789abcdef0123456789abcdef01234567"

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "xetHash", "xetEnabled", "b"]), inner),
    max_leaves=10,
)


@given(_JSON)
def test_without_xet(document: object) -> None:
    """At no depth; all else stays."""

    def bare(value: object) -> object:
        if isinstance(value, dict):
            return {name: bare(each) for name, each in value.items() if name not in ("xetHash", "xetEnabled")}
        return [bare(each) for each in value] if isinstance(value, list) else value

    assert bare(document) == json.loads(without_xet(json.dumps(document).encode()))


def test_entries() -> None:
    """A page of a tree, bare too."""
    assert entries(b'[{"path": "a", "xetHash": "e"}]') == [{"path": "a"}]


def test_commit() -> None:
    """Of a revision's document."""
    assert read_commit(json.dumps({"id": "a/b", "sha": SHA, "siblings": []}).encode()) == SHA


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"sha": 1}', b'{"sha": "main"}', b"<html>"])
def test_no_commit(document: bytes) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r".+"):
        read_commit(document)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (None, None),
        ("", None),
        (
            '<https://huggingface.co/api/models/a/tree/x?recursive=True&cursor=Zm9v%3D>; rel="next"',
            "cursor=Zm9v%3D&recursive=true",
        ),
        ("</api/models?cursor=a>; rel=next", "cursor=a"),
        ('<https://h/x?cursor=a>; rel="prev", <https://h/x?cursor=b>; rel="next"', "cursor=b"),
        ('<https://h/x>; rel="next"', None),
    ],
)
def test_next_page(link: str | None, expected: str | None) -> None:
    """Only its query is taken over."""
    assert expected == next_query(link)


@pytest.mark.parametrize(
    ("content", "media_type", "expected"),
    [
        (b"paths=a&paths=b%2Fc&expand=False", "application/x-www-form-urlencoded", (["a", "b/c"], False)),
        (b"paths=a&expand=True", "application/x-www-form-urlencoded", (["a"], True)),
        (b'{"paths": ["a", "/b/"], "expand": true}', "application/json; charset=utf-8", (["a", "b"], True)),
        (b'{"paths": "a"}', "application/json", (["a"], False)),
        (b"", "", ([], False)),
    ],
)
def test_asked_paths(content: bytes, media_type: str, expected: tuple[list[str], bool]) -> None:
    """Forms of Python, JSON of JavaScript."""
    assert expected == asked_paths(content, media_type)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"paths": 1}', b'{"paths": [1]}', b"\xff"])
def test_no_paths(content: bytes) -> None:
    """Nonsense."""
    with pytest.raises(ValueError, match=r".+"):
        asked_paths(content, "application/json")
