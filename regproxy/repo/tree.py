"""What a repository holds, as a tree of folders: for listings, and for what is said about nodes.

Remote repositories have one too, of what they have cached; their folders are only there while something is in them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

from attrs import frozen

from regproxy.index.interface import Index
from regproxy.index.interface_holdings import Holdings
from regproxy.model.deposit import Child, Depositors, Downloads, Folder, Properties, folders_above
from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.stream.pool import WriterPool

PAGE = 1000


@frozen(eq=False)
class Tree:
    """The tree of the repository whose nodes lie under ``key``. Paths of folders end in a slash, the top is ``""``."""

    key: str
    _index: Index
    _holdings: Holdings
    _readers: WriterPool

    def node(self, path: str) -> Node | None:
        """A file."""
        return self._index.node(self.key, path)

    async def folder(self, path: str) -> Folder | None:
        """A folder."""
        return await self._readers.run(lambda: self._holdings.folder(self.key, path))

    async def find(self, path: str) -> Node | Folder | None:
        """What is at a path, with or without a slash at its end."""
        node = self.node(path) if path and not path.endswith("/") else None
        return node or await self.folder(f"{path.rstrip('/')}/" if path.rstrip("/") else "")

    async def children(self, path: str) -> Sequence[Child]:
        """Everything directly in a folder."""
        found: list[Child] = []
        while True:
            last = found[-1] if found else None
            after = "" if last is None else last.name if last.node else f"{last.name}/"
            page = await self._readers.run(lambda after=after: self._holdings.children(self.key, path, after, PAGE))  # type: ignore[misc] # a default, not a parameter
            found += page
            if len(page) < PAGE:
                return found

    async def below(self, path: str) -> AsyncIterator[Sequence[Node]]:
        """Every file below a folder, page by page."""
        after = ""
        while page := await self._readers.run(lambda after=after: self._index.nodes(self.key, path, after, PAGE)):  # type: ignore[misc] # as above
            yield page
            after = page[-1].path

    async def folders_below(self, path: str) -> Sequence[Folder]:
        """Every folder below one, by path: those that were made, and those that are there because something is in them."""
        made = await self._readers.run(lambda: self._holdings.folders(self.key, path))
        found = {folder.path: folder for folder in made}
        async for page in self.below(path):
            for node in page:
                for above in folders_above(node.path):
                    if len(above) > len(path) and above not in found:
                        found[above] = Folder(above, node.created, node.modified)
        return [found[name] for name in sorted(found)]

    def digests(self, node: Node) -> dict[str, str]:
        """The checksums of a file that are known, by algorithm."""
        known = {digest.algorithm: digest for digest in self._holdings.digests(node.sha256)}
        known["sha256"] = Digest("sha256", node.sha256)
        return {name: digest.hex for name, digest in sorted(known.items())}

    async def named_by(self, digest: Digest) -> Sequence[Node]:
        """Files whose bytes have a digest."""
        sha256 = self._index.blob_of(digest)
        found = () if sha256 is None else await self._readers.run(lambda: self._index.nodes_of(sha256))
        return [node for node in found if node.repository == self.key]

    async def annotated(self, properties: Properties, most: int) -> Sequence[str]:
        """Paths of files and folders that have all of these values; ``*`` is any."""
        found = await self._readers.run(lambda: self._holdings.annotated(properties, [self.key], most))
        return [path for _, path in found]

    def depositors(self, node: Node) -> Depositors | None:
        """Who put a file; None for what an upstream gave."""
        return self._holdings.depositors(self.key, node.path)

    def downloaded(self, path: str, when: float, by: str) -> None:
        """Count a download of a file."""
        self._index.downloaded(self.key, path, when, by)

    def downloads(self, path: str) -> Downloads:
        """Of a file."""
        return self._holdings.downloads(self.key, path)

    def properties(self, path: str) -> Properties:
        """Of a file or folder."""
        return self._holdings.properties(self.key, path)

    async def properties_below(self, path: str) -> Mapping[str, Properties]:
        """Of all that lies below a folder and has any, by path."""
        return await self._readers.run(lambda: self._holdings.properties_below(self.key, path))

    async def remove(self, path: str) -> bool:
        """Remove a file, or a folder with all that is in it, for good; False if there was none."""
        return await self._holdings.delete(self.key, path)

    async def prune(self, path: str) -> None:
        """Remove a folder and those below it, as far as nothing is in them."""
        await self._holdings.prune(self.key, path)

    async def annotate(self, path: str, properties: Properties, *, below: bool) -> None:
        """Set some, and remove those without values."""
        await self._holdings.annotate(self.key, path, properties, below=below)
