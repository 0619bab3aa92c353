"""What an operator does to what is held: look, pin, purge. Targets: ``repository/path``, or a folder that ends with a slash."""

import msgspec
from attrs import define

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface import Use
from regproxy.model.node import Node
from regproxy.repo.eviction import NEVER
from regproxy.repo.parts import Parts

PAGE = 500


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What there is at a target, or was.

    Attributes:
        bytes: of the nodes, one by one, whether or not they share a blob.
        pinned: how many of them are.
    """

    nodes: int = 0
    bytes: int = 0
    pinned: int = 0


def split_target(target: str) -> tuple[str, str]:
    """Repository and path; a bare repository is all of it. ``RegproxyError`` for nothing."""
    repository, _, path = target.strip().lstrip("/").partition("/")
    if not repository:
        raise RegproxyError(Kind.INVALID, "expected REPOSITORY, REPOSITORY/PATH or REPOSITORY/FOLDER/")
    return repository, path


@define(eq=False)
class Held:
    """The commands, on the parts of a server."""

    _parts: Parts

    async def look(self, target: str) -> Holding:
        """What is cached: its node is known and its blob is there."""
        repository, path = split_target(target)
        pins = set(await self._parts.readers.run(lambda: self._parts.index.pins(repository, path)))
        nodes = total = pinned = 0
        after = ""
        while page := await self._page(repository, path, after):
            after = page[-1].path
            there = await self._parts.readers.run(lambda: [node for node in page if self._is_there(node)])
            nodes += len(there)
            total += sum(node.size for node in there)
            pinned += sum(node.path in pins for node in there)
            if not _is_folder(path):
                break
        return Holding(nodes=nodes, bytes=total, pinned=pinned)

    async def pin(self, target: str, *, pinned: bool) -> Holding:
        """Keep from being evicted, or not any more."""
        repository, path = split_target(target)
        await self._parts.index.pin(repository, path, pinned=pinned)
        return await self.look(target)

    async def purge(self, target: str) -> Holding:
        """Remove nodes, pinned or not, and the blobs that nothing else names: the next request asks upstream. What clients
        have put here stays.
        """
        repository, path = split_target(target)
        nodes = total = 0
        after = ""
        while page := await self._page(repository, path, after):
            for node in page:
                after = node.path
                await self._parts.index.pin(repository, node.path, pinned=False)
                use = Use(repository, node.path, node.sha256, node.size, NEVER)
                if await self._parts.room.eviction.release(use, "purge"):
                    nodes += 1
                    total += node.size
            if not _is_folder(path):
                break
        return Holding(nodes=nodes, bytes=total)

    async def _page(self, repository: str, path: str, after: str) -> list[Node]:
        if not _is_folder(path):
            node = self._parts.index.node(repository, path)
            return [node] if node is not None else []
        return list(await self._parts.readers.run(lambda: self._parts.index.nodes(repository, path, after, PAGE)))

    def _is_there(self, node: Node) -> bool:
        reader = self._parts.store.open(node.sha256)
        if reader is not None:
            reader.close()
        return reader is not None


def _is_folder(path: str) -> bool:
    return not path or path.endswith("/")
