"""Addresses → wants: the path behind the repository's key is the node's path. Pure."""

from collections.abc import Sequence

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.generic.table import RULES
from regproxy.model.freshness import rule_for
from regproxy.model.want import Want


def want_for(segments: Sequence[str], slashes: frozenset[int], *, body: bool, query: str = "") -> Want:
    """Read an address; ``RegproxyError`` for a folder, an empty segment or an encoded slash."""
    if slashes:
        raise RegproxyError(Kind.INVALID, "an encoded slash in the path")
    if not segments or not all(segments):
        raise RegproxyError(Kind.NOT_FOUND, "a remote repository serves files, and lists no folders")
    path = "/".join(segments)
    # Another query is another file to upstream, so it is another node.
    node = f"{path}?{query}" if query else path
    return Want(path=node, shape=rule_for(RULES, path).shape, body=body, upstream=path, query=query)
