"""Several uploads into a local repository that become nodes as one step, as a format sees them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from attrs import frozen

from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.stream.source import Source


@frozen
class Piece:
    """Bytes that are in the store for a bundle, and their digests by algorithm."""

    size: int
    digests: Mapping[str, Digest]

    @property
    def sha256(self) -> str:
        """Their name."""
        return self.digests["sha256"].hex


class Bundled(Protocol):
    """Several uploads that become nodes as one step. Whoever begins a bundle closes it; its bytes stay until then."""

    async def receive(self, source: Source, promised: Sequence[Digest] = ()) -> Piece:
        """Take a body into the store, where nobody sees it."""

    async def link(self, promised: Sequence[Digest], may_use: Callable[[Node], bool]) -> Piece | None:
        """Take bytes that are here already; None unless a node that ``may_use`` admits has all the promised digests."""

    async def publish(
        self, uploads: Sequence[tuple[Upload, Piece]], removed: Sequence[str], expected: Mapping[str, str | None]
    ) -> bool:
        """Put these nodes after removing others; False, and nothing is changed, if something is not there as expected.

        ``expected``: what it was made from, the SHA-256 of the node at a path, None where there was none.
        """

    async def close(self) -> None:
        """Let go of everything, published or not."""
