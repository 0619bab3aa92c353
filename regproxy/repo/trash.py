"""Puts what is deleted into the trash can, file by file, in place of what lies there under the same name."""

from collections.abc import Sequence

from attrs import frozen
from twisted.internet.defer import Deferred, FirstError, gatherResults

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_holdings import Holdings
from regproxy.model.deposit import Taking, folders_above
from regproxy.model.node import Node
from regproxy.model.trash import TRASH, marks, place
from regproxy.repo.parts import Parts

PAGE = 100


@frozen(eq=False)
class Trash:
    """For every local repository of a server."""

    _parts: Parts
    _holdings: Holdings

    async def keep_all(self, repository: str, path: str, by: str) -> bool:
        """Take everything below a folder, with the folders; False if there is no such folder."""
        index, readers = self._parts.index, self._parts.readers
        found = False
        while nodes := await readers.run(lambda: index.nodes(repository, path, limit=PAGE)):
            found = True
            try:
                await gatherResults([Deferred.fromCoroutine(self.keep(node, by)) for node in nodes], consumeErrors=True)
            except FirstError as first:
                first.subFailure.raiseException()
        return await self._holdings.prune(repository, path) > 0 or found

    async def keep(self, node: Node, by: str) -> None:
        """Take one file."""
        now = self._parts.clock.seconds()
        noted = marks(node.repository, node.path, by, now)
        path = place(node.repository, node.path)
        taking = Taking(node, TRASH, path, by, may_replace=True, moves=True, when=now, marks=noted)
        try:
            await self._holdings.take(taking)
        except RegproxyError as error:
            held = self._parts.index.node(node.repository, node.path)
            if error.kind is not Kind.CONFLICT or held is None:
                if held is not None:
                    raise
                return  # somebody else has just deleted it
            await self._clear(path)
            if held == node:
                await self._holdings.take(taking)
            else:
                await self.keep(held, by)

    async def _clear(self, path: str) -> None:
        """An older file may lie where a folder is needed now, or a folder where the file is."""
        obstacles: Sequence[str] = [*(folder[:-1] for folder in folders_above(path)), f"{path}/"]
        for obstacle in obstacles:
            await self._holdings.delete(TRASH, obstacle)
