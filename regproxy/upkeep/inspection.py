"""One blob's row against its blob: what ``verify``, the scrub and sampled reads have in common.

On a running server everything moves: a row that seems wrong is looked up once more before anybody believes it.
"""

from collections.abc import Sequence

import msgspec
from attrs import define

from regproxy.errors import is_used_up
from regproxy.index.interface import BlobRow
from regproxy.model.node import Node
from regproxy.repo.damage import condemn, forsake, is_decided, is_local, is_there, names
from regproxy.repo.parts import Parts
from regproxy.stream.rehash import Pace, hash_blob
from regproxy.stream.source import BlobReader
from regproxy.upkeep.report import Finding, Trouble


@define(eq=False)
class Inspector:
    """Looks at blobs, at a pace, and repairs what it finds if it is told to."""

    _parts: Parts
    _pace: Pace | None
    _repairs: bool

    async def inspect(self, row: BlobRow) -> Finding | None:
        """Compare size and bytes with what the row says; None if all is well, or the row has gone."""
        reader = await self.opened(row)
        if reader is None or isinstance(reader, Finding):
            return reader
        try:
            detail = await self._read(row, reader)
            return await self.wrong(Trouble.DAMAGED, row, detail, reader) if detail else None
        finally:
            reader.close()

    async def _read(self, row: BlobRow, reader: BlobReader) -> str:
        """What is wrong with the bytes; empty if nothing is."""
        try:
            found = await hash_blob(reader, self._parts.readers, self._pace)
        except OSError as error:
            if is_used_up(error):
                raise
            return str(error)
        return "" if found == row.sha256 else f"hashes to {found}"

    async def opened(self, row: BlobRow) -> BlobReader | Finding | None:
        """Open what a row names, if it has the right size; None if the row has gone."""
        try:
            reader = self._parts.store.open(row.sha256)
        except OSError as error:
            if is_used_up(error):
                raise
            return await self.wrong(Trouble.DAMAGED, row, str(error))
        if reader is None:
            return await self._missing(row)
        if reader.size == row.size:
            return reader
        try:
            return await self.wrong(Trouble.SIZE, row, f"{reader.size} bytes, its row says {row.size}", reader)
        finally:
            reader.close()

    async def _missing(self, row: BlobRow) -> BlobReader | Finding | None:
        """Another process may have had it out of sight for a moment."""
        if not await is_decided(self._parts, row.sha256):
            return None
        if is_there(self._parts, row.sha256):
            return await self.opened(row)
        return await self.wrong(Trouble.MISSING, row, "no such file")

    def _is_current(self, row: BlobRow) -> bool:
        now = self._parts.index.blob(row.sha256)
        return now is not None and now.size == row.size

    async def wrong(self, trouble: Trouble, row: BlobRow, detail: str, reader: BlobReader | None = None) -> Finding | None:
        """Report what a row has shown, or the blob that was read for it, and repair it; None if either has changed meanwhile."""
        if not self._is_current(row):
            return None
        nodes = await self._repaired(trouble, row, reader)
        if nodes is None:
            return None
        local = any(is_local(node) for node in nodes)
        finding = Finding(trouble=trouble, name=row.sha256, detail=detail, nodes=names(nodes), local=local)
        return msgspec.structs.replace(finding, repaired=self._repairs and not local)

    async def _repaired(self, trouble: Trouble, row: BlobRow, reader: BlobReader | None) -> Sequence[Node] | None:
        """The nodes that name it; None if it is there again."""
        if not self._repairs:
            return await self._parts.readers.run(lambda: self._parts.index.nodes_of(row.sha256))
        if trouble is not Trouble.MISSING:
            return await condemn(self._parts, row.sha256, trouble.value, reader)
        if is_there(self._parts, row.sha256):
            return None
        self._parts.recorder.blob_lost(trouble.value)
        return await forsake(self._parts, row.sha256, trouble.value)
