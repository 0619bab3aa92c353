"""Stored blobs, opened with suspicion: what serves from the store goes through here.

A row without its blob is a miss, not an error. A blob of another size than its row says, and after an unclean stop a blob
that was not yet durable and does not hash to its name, is put into quarantine and is a miss too.
"""

import hashlib
import os

from attrs import define, field
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.model.node import Node
from regproxy.repo.interface import Body
from regproxy.repo.parts import Parts
from regproxy.stream import pages
from regproxy.stream.source import BlobReader
from regproxy.stream.stored import StoredBlob

log = make_logger()

READ = 1 << 20
INLINE = 256 << 10


@define(eq=False)
class Shelf:
    """Opens blobs of the store."""

    _parts: Parts
    _suspects: set[str] = field(factory=set, init=False)

    def suspect(self) -> None:
        """After an unclean stop: look closely at what had not reached the disk for certain."""
        self._suspects.update(self._parts.index.unsynced())

    async def open(self, node: Node) -> StoredBlob | None:
        """Open a node's blob; None if there is no good one."""
        reader = self._parts.store.open(node.sha256)
        if reader is None:
            return None
        if reader.size == node.size and (node.sha256 not in self._suspects or await self._is_sound(node.sha256, reader)):
            return StoredBlob(reader)
        reader.close()
        log.error("blob {sha256} is damaged and goes into quarantine", sha256=node.sha256)
        await self._parts.readers.run(lambda: self._parts.store.quarantine(node.sha256))
        return None

    async def _is_sound(self, sha256: str, reader: BlobReader) -> bool:
        found = await self._parts.readers.run(lambda: _hash(reader))
        if found != sha256:
            return False
        await self._parts.readers.run(lambda: self._parts.store.sync(sha256))
        await self._parts.index.synced(sha256)
        self._suspects.discard(sha256)
        return True

    async def read(self, body: Body, limit: int) -> bytes:
        """Read a stored body as a whole and release it; TOO_LARGE beyond ``limit`` bytes."""
        readable = body.readable
        try:
            size = readable.size
            if size is None or not readable.complete or size > limit:
                raise RegproxyError(Kind.TOO_LARGE, f"the document is larger than {limit} bytes")
            data = pages.read_hot(readable.fileno(), 0, size) if size <= INLINE else None
            if data is None:
                data = await self._parts.readers.run(lambda: os.pread(readable.fileno(), size, 0))
            if len(data) != size:
                raise RegproxyError(Kind.STORAGE, "the document cannot be read")
            return data
        finally:
            readable.release()


def _hash(reader: BlobReader) -> str:
    running = hashlib.sha256()
    for offset in range(0, reader.size, READ):
        running.update(os.pread(reader.fileno(), READ, offset))
    return running.hexdigest()
