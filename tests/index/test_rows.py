"""Rows say all that a node says, and prefixes become ranges of texts."""

from hypothesis import given
from hypothesis import strategies as st

from regproxy.index.rows import behind_prefix, headers_text, kept_form, node_row, read_headers, read_node
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.node import Node

texts = st.text(max_size=12)
maybe = st.none() | texts
headers = st.builds(Headers, st.lists(st.tuples(st.sampled_from(["etag", "X-Kept", "link"]), texts), max_size=3).map(tuple))
heads = st.builds(Head, length=st.none() | st.integers(0, 9), media_type=maybe, etag=maybe, last_modified=maybe, kept=headers)
times = st.floats(0, 4e9)
nodes = st.builds(
    Node, texts, texts, texts, st.integers(0, 1 << 60), heads, headers, created=times, modified=times, checked=times, origin=texts
)
narrow = st.text("ab\ud7ff\ue000\U0010ffff", max_size=4)


@given(nodes)
def test_a_row_is_a_node(node: Node) -> None:
    """A node that became a row comes back in its kept form."""
    assert kept_form(node) == read_node(node_row(node))


@given(headers)
def test_headers_come_back(fields: Headers) -> None:
    """Header fields survive, in their order; none at all take no space."""
    assert fields == read_headers(headers_text(fields))
    assert not headers_text(Headers())


@given(narrow, narrow)
def test_a_prefix_is_a_range(prefix: str, path: str) -> None:
    """A text starts with the prefix exactly if it lies between it and what comes behind it."""
    behind = behind_prefix(prefix)
    assert path.startswith(prefix) == (path >= prefix and (behind is None or path < behind))
