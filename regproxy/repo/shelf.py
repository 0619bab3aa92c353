"""Stored blobs, opened with suspicion: what serves from the store goes through here.

A row without its blob is a miss, not an error, but is told. A blob of another size than its row says, and after an unclean stop
a blob that was not yet durable and does not hash to its name, is put into quarantine and is a miss too. ``doubts`` looks at
others. Hot small ones are ``remembered``.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from attrs import Factory, define, field
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError, is_used_up
from regproxy.model.node import Node
from regproxy.repo.damage import avoid, missed
from regproxy.repo.doubts import Doubts
from regproxy.repo.interface import Body
from regproxy.repo.parts import Parts
from regproxy.repo.remembered import Remembered
from regproxy.stream import pages
from regproxy.stream.checked import CheckedBlob
from regproxy.stream.growing import TAIL
from regproxy.stream.observer import OneShot
from regproxy.stream.small import SmallBlob
from regproxy.stream.source import BlobReader
from regproxy.stream.stored import StoredBlob

log = make_logger()

INLINE = 96 << 10
T = TypeVar("T")


@define(eq=False)
class Shelf:
    """Opens blobs of the store."""

    _parts: Parts
    _doubts: Doubts = field(default=Factory(lambda shelf: Doubts(shelf._parts), takes_self=True))  # noqa: SLF001 - its own
    _suspects: set[str] = field(factory=set, init=False)
    _remembered: Remembered = field(factory=Remembered, init=False)

    def suspect(self) -> None:
        """After an unclean stop: look closely at what had not reached the disk for certain."""
        self._suspects.update(self._parts.index.unsynced())

    async def open(self, node: Node) -> StoredBlob | None:
        """Open a node's blob; None if there is no good one."""
        content = self._remembered.get(node.sha256)
        if content is None or len(content) != node.size or self._doubts.reads == "always":
            return await self._opened(node)
        self._doubts.opened(node.sha256)
        return SmallBlob.of(content, lambda: self._doubts.look(node.sha256))

    async def _opened(self, node: Node) -> StoredBlob | None:
        sha256 = node.sha256
        try:
            reader = self._parts.store.open(sha256)
        except OSError as error:
            if is_used_up(error):
                raise
            await self._bad(node, str(error))
            return None
        if reader is None:
            return await self._opened(node) if await missed(self._parts, node) else None
        try:
            wrong = await self._wrong(node, reader)
            if wrong:
                await self._bad(node, wrong, reader)
        except BaseException:
            reader.close()
            raise
        if wrong:
            reader.close()
            return None
        self._parts.told.pop(sha256, None)  # it is there, whatever was said: the next loss is another one
        if self._doubts.reads == "always" and reader.size > TAIL:
            return self._doubts.checked(sha256, reader)
        self._doubts.opened(sha256)
        return StoredBlob(reader, lambda: self._doubts.look(sha256))

    async def _wrong(self, node: Node, reader: BlobReader) -> str:
        """What shows that it is not the blob of this node; empty if nothing does."""
        if reader.size != node.size:
            return f"it has {reader.size} bytes in place of {node.size}"
        if node.sha256 in self._suspects and not await self._is_sound(node.sha256, reader):
            return "it did not survive an unclean stop"
        if self._doubts.reads != "always":
            right = self._remembered.opened(node.sha256, reader)
        else:  # of a longer one the end waits for that
            right = reader.size > TAIL or await self._doubts.is_right(node.sha256, reader)
        return "" if right else "it does not hash to its name"

    async def _bad(self, node: Node, reason: str, reader: BlobReader | None = None) -> None:
        log.error("blob {sha256}: {reason}", sha256=node.sha256, reason=reason)
        why = "damaged" if reader is None or reader.size == node.size else "size"
        await avoid(self._parts, node.sha256, why, reader)

    async def _is_sound(self, sha256: str, reader: BlobReader) -> bool:
        if not await self._doubts.is_right(sha256, reader):
            return False
        try:
            await self._parts.readers.run(lambda: self._parts.store.sync(sha256))
            await self._parts.index.synced(sha256)
        except OSError as error:
            if is_used_up(error):
                raise
            return False
        except RegproxyError:
            return True  # but nobody can note it now: the next who asks looks again
        self._suspects.discard(sha256)
        return True

    async def parse(self, body: Body, limit: int, parse: Callable[[bytes], T]) -> T:
        """Make something of a stored body and release it; TOO_LARGE beyond ``limit`` bytes. In a thread, unless it is small."""
        readable = body.readable
        try:
            if isinstance(readable, CheckedBlob):
                await _verdict(readable)
            size = readable.size
            if size is None or not readable.complete or size > limit:
                raise RegproxyError(Kind.TOO_LARGE, f"the document is larger than {limit} bytes")
            data = readable.content if isinstance(readable, SmallBlob) else None
            if data is None and size <= INLINE:
                data = pages.read_hot(readable.fileno(), 0, size)
            if data is not None and len(data) == size <= INLINE:
                return parse(data)
            return await self._parts.readers.run(lambda: parse(_content(readable.fileno(), size)))
        finally:
            readable.release()


def _content(descriptor: int, size: int) -> bytes:
    data = os.pread(descriptor, size, 0)
    if len(data) != size:
        raise RegproxyError(Kind.STORAGE, "the document cannot be read")
    return data


async def _verdict(readable: CheckedBlob) -> None:
    """Wait until a blob is checked."""
    if not readable.complete and readable.failed is None:
        changed: OneShot[None] = OneShot()
        wake = partial(changed.fire, None)
        readable.watch(wake)
        try:
            await changed.when()
        finally:
            readable.unwatch(wake)
