"""Addresses → wants: the path behind the repository's key is the node's path. Pure.

An upload may have properties in its address, as matrix parameters: ``/a/b.zip;k=v;k=v2``. They are split off the path as it was
sent, so that an encoded ``;`` belongs to the name.
"""

from collections.abc import Sequence
from urllib.parse import unquote

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.generic.table import RULES
from regproxy.model.deposit import Properties
from regproxy.model.freshness import rule_for
from regproxy.model.properties import checked, gathered
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


@frozen
class Target:
    """Where an upload goes: the path of a folder ends in a slash."""

    path: str
    properties: Properties


def target_of(raw_segments: Sequence[bytes], slashes: frozenset[int]) -> Target:
    """Read the address of an upload; the segments have been decoded before, and only those that can be are here."""
    if slashes:
        raise RegproxyError(Kind.INVALID, "an encoded slash in the path")
    names: list[str] = []
    pairs: list[tuple[str, str]] = []
    for raw in raw_segments:
        name, *parameters = raw.decode("ascii").split(";")
        names.append(unquote(name))
        for parameter in filter(None, parameters):
            key, sign, value = parameter.partition("=")
            if not sign or not key:
                raise RegproxyError(Kind.INVALID, "a matrix parameter is no name=value")
            pairs.append((unquote(key), unquote(value)))
    if not all(names[:-1]) or not names[0] or not {".", ".."}.isdisjoint(names):
        raise RegproxyError(Kind.INVALID, "a segment of the path has no name")
    try:
        return Target("/".join(names), checked(gathered(pairs)))
    except ValueError as error:
        raise RegproxyError(Kind.INVALID, str(error)) from error
