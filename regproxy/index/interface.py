"""What an index of nodes is. ``tests/conformance/index.py`` is what it means; every index passes it.

Reads by primary key return at once: they run in the reactor. Writes return a Deferred that fires when the change is
committed and every later read sees it; writes are applied in the order in which they were asked for.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from regproxy.model.digest import Digest
from regproxy.model.node import Negative, Node


@frozen
class BlobRow:
    """What the index knows of one blob.

    Attributes:
        sha256, size: of its bytes.
        synced: it survives a power loss; one that may not is hashed again at first open after an unclean stop.
        last_used: seconds since the epoch, a few seconds late.
    """

    sha256: str
    size: int
    synced: bool
    last_used: float


@frozen
class Sum:
    """So many blobs, each counted once, and their bytes."""

    blobs: int = 0
    bytes: int = 0


@frozen
class Use:
    """A node that may be evicted, and when it was last used."""

    repository: str
    path: str
    sha256: str
    size: int
    last_used: float


class Index(Protocol):
    """Nodes, blobs, aliases of digests, negative answers and a few remembered words."""

    def start(self) -> None:
        """Open it, upgrading the schema. Blocks. ``RegproxyError`` for a schema that is newer than this program."""

    def close(self) -> Deferred[None]:
        """Commit what is pending, note that the stop was clean, and close."""

    @property
    def was_clean(self) -> bool:
        """Whether the previous run closed it; False after a crash."""

    @property
    def is_new(self) -> bool:
        """Whether there was nothing before this run: the first one, or what was there is lost."""

    def node(self, repository: str, path: str) -> Node | None:
        """One node."""

    def nodes(self, repository: str, prefix: str = "", after: str = "", limit: int = 1000) -> Sequence[Node]:
        """Nodes of a repository whose paths start with ``prefix`` and sort behind ``after``, in the order of their paths."""

    def blob(self, sha256: str) -> BlobRow | None:
        """One blob."""

    def blob_of(self, digest: Digest) -> str | None:
        """The SHA-256 of the blob that is known to have this digest."""

    def negative(self, repository: str, path: str) -> Negative | None:
        """A negative answer, expired or not."""

    def distrusted(self, repository: str, path: str) -> float:
        """Until when what arrives at a path is not to complete what somebody has of it already; 0 if there is no such time."""

    def word(self, name: str) -> str | None:
        """A remembered word."""

    def put(self, node: Node, *, synced: bool, digests: Sequence[Digest] = ()) -> Deferred[None]:
        """Add or replace a node with its blob's row and aliases, and drop a negative answer for its path, as one step.

        A node that is replaced keeps its ``created``. Its head comes back with the blob's length and digest. ``synced`` holds for
        the blob as it is now, whatever was known before: it may have been lost and fetched again.
        """

    def refresh(self, node: Node) -> Deferred[None]:
        """Replace what is known about a node that upstream has confirmed; nothing if it has gone or has another blob by now."""

    def used(self, repository: str, path: str, sha256: str, when: float) -> None:
        """Note that a blob was opened as a node. Kept in memory and written every few seconds."""

    def downloaded(self, repository: str, path: str, when: float, by: str) -> None:
        """Count one download, by a user; likewise. It may come a moment before the node is put."""

    def remove(self, repository: str, path: str) -> Deferred[bool]:
        """Remove a node; its blob's row stays until ``forget``. False if there was none."""

    def deny(self, negative: Negative) -> Deferred[None]:
        """Remember a negative answer."""

    def distrust(self, repository: str, path: str, now: float, until: float) -> Deferred[None]:
        """Remember that wrong bytes came for a path; what was remembered until ``now`` is dropped."""

    def synced(self, sha256: str) -> Deferred[None]:
        """Note that a blob is durable."""

    def unsynced(self) -> Sequence[str]:
        """Blobs that are not known to be durable."""

    def unreferenced(self, limit: int = 1000) -> Sequence[BlobRow]:
        """Blobs that no node names, least recently used first."""

    def forget(self, sha256: str) -> Deferred[bool]:
        """Remove a blob's row and aliases, unless a node names it (then False). True also if there was no row."""

    def adopt(self, blobs: Sequence[BlobRow]) -> Deferred[int]:
        """Add rows for blobs that nothing names, as one step; those that have a row keep it. How many were added."""

    def held(self, repository: str = "") -> Sum:
        """What a repository holds; without a name, what all of them do, and what no node names any more."""

    def least_used(self, kept: Collection[str], limit: int = 100) -> Sequence[BlobRow]:
        """Blobs that may be evicted, least recently used first: no node of theirs is pinned, came from no upstream, or is in one
        of the repositories ``kept``.
        """

    def least_used_in(self, repository: str, before: float, limit: int = 100) -> Sequence[Use]:
        """Nodes of a repository that may be evicted and were last used before a time, least recently used first."""

    def evict(self, seen: BlobRow, kept: Collection[str]) -> Deferred[bool]:
        """Remove a blob's row with all its nodes, as one step; False if it was used since it was seen, or may not be evicted."""

    def release(self, seen: Use) -> Deferred[bool]:
        """Remove a node; False if it was used or changed since it was seen, or may not be evicted. Its blob's row stays."""

    def pin(self, repository: str, path: str, *, pinned: bool) -> Deferred[int]:
        """Keep a node from being evicted, or all below a path that ends with a slash or is empty, or not any more; how many."""

    def pins(self, repository: str, prefix: str = "") -> Sequence[str]:
        """Paths of a repository that start with ``prefix`` and are pinned. May be slow."""

    def each_blob(self, after: str = "") -> Iterator[BlobRow]:
        """Every blob's row whose name sorts behind ``after``, in the order of the names; may be slow."""

    def nodes_of(self, sha256: str) -> Sequence[Node]:
        """Every node that names a blob; may be slow."""

    def complaints(self) -> Sequence[str]:
        """Check the whole of it for contradictions; one line for each. Slow."""

    def remember(self, name: str, word: str) -> Deferred[None]:
        """Keep a word."""
