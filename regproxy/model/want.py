"""What a client asks of a repository, in the repository's own terms."""

from enum import Enum

from attrs import frozen

from regproxy.model.digest import Digest


class Shape(Enum):
    """How the bytes behind a path behave, which decides how they are fetched and served."""

    BLOB = "blob"
    """Immutable: streamed while it is fetched, never asked for again."""
    FILE = "file"
    """Mutable: streamed while it is fetched, revalidated when its period is over."""
    DOCUMENT = "document"
    """Mutable and small (at most ``DOCUMENT_LIMIT``): complete before it is answered, so that a stale copy can stand in."""


DOCUMENT_LIMIT = 64 << 20


@frozen(cache_hash=True)
class Want:
    """One request for one node.

    Attributes:
        path: the node's path in its repository, as ``docs/formats`` fixes it: no leading slash, decoded.
        shape: how the bytes behave.
        body: False for HEAD.
        name, version: of the package, where the format has such; policies and permissions match them.
        digest: what the address itself promises (OCI), if anything.
        upstream: where upstream keeps it, for formats in which the path does not say; only the format reads it.
        query: what the client sent behind the question mark, only where the repository passes it on.
    """

    path: str
    shape: Shape
    body: bool = True
    name: str = ""
    version: str = ""
    digest: Digest | None = None
    upstream: str = ""
    query: str = ""
