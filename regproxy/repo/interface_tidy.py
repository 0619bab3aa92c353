"""What a format may do besides serving: it removes from its local repositories what was sent there and never used."""

from typing import Protocol, runtime_checkable

from regproxy.repo.tree import Tree


@runtime_checkable
class Tidying(Protocol):
    """A format in which uploads leave something behind."""

    async def tidy(self, tree: Tree, now: float) -> None:
        """Remove from what a local repository holds what is over at this second."""
