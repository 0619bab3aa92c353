"""Nodes and their neighbours as rows of tables, and back. Pure.

The head of a node that is kept says its blob's length and digest, whatever it said when it was put: neither has a column of
its own. Every index keeps nodes in this form.
"""

from typing import Any, TypeAlias

import msgspec
from attrs import evolve

from regproxy.index.interface import BlobRow
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.node import Negative, Node

Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = tuple[Value, ...]

NODE_COLUMNS = (
    "repository, path, sha256, size, media_type, etag, last_modified, kept, validators, created, modified, checked, origin"
)
BLOB_COLUMNS = "sha256, size, synced, last_used"
NEGATIVE_COLUMNS = "repository, path, status, expires, kept"

_NONE = Headers()
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[tuple[str, str], ...])


def kept_form(node: Node) -> Node:
    """The node as an index returns it."""
    return evolve(node, head=node.head.landed(node.size, node.sha256))


def last_touched(node: Node) -> float:
    """When a blob was last used, as far as a node that is being put can tell."""
    return max(node.created, node.modified, node.checked)


def node_row(node: Node) -> Row:
    """In the order of ``NODE_COLUMNS``."""
    head = node.head
    return (
        node.repository,
        node.path,
        node.sha256,
        node.size,
        head.media_type,
        head.etag,
        head.last_modified,
        headers_text(head.kept),
        headers_text(node.validators),
        node.created,
        node.modified,
        node.checked,
        node.origin,
    )


def read_node(row: tuple[Any, ...]) -> Node:
    """From the order of ``NODE_COLUMNS``."""
    repository, path, sha256, size, media_type, etag, last_modified, kept, validators, created, modified, checked, origin = row
    head = Head(size, media_type, etag, last_modified, read_headers(kept), sha256)
    return Node(repository, path, sha256, size, head, read_headers(validators), created, modified, checked, origin)


def read_blob(row: tuple[Any, ...]) -> BlobRow:
    """From the order of ``BLOB_COLUMNS``."""
    sha256, size, synced, last_used = row
    return BlobRow(sha256, size, bool(synced), last_used)


def negative_row(negative: Negative) -> Row:
    """In the order of ``NEGATIVE_COLUMNS``."""
    return (negative.repository, negative.path, negative.status, negative.expires, headers_text(negative.kept))


def read_negative(row: tuple[Any, ...]) -> Negative:
    """From the order of ``NEGATIVE_COLUMNS``."""
    repository, path, status, expires, kept = row
    return Negative(repository, path, status, expires, read_headers(kept))


def headers_text(headers: Headers) -> str:
    """Fields as JSON; none, the usual case, as nothing."""
    return _encoder.encode(headers.fields).decode() if headers.fields else ""


def read_headers(text: str) -> Headers:
    """Fields from JSON."""
    return Headers(_decoder.decode(text)) if text else _NONE


def behind_prefix(prefix: str) -> str | None:
    """The least text that sorts behind everything that starts with ``prefix``; None if nothing does."""
    stem = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not stem:
        return None
    last = ord(stem[-1]) + 1
    return stem[:-1] + chr(_SURROGATES.stop if last in _SURROGATES else last)
