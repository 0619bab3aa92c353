"""How bytes get into the store for a local repository, before anything names them: from a body, or because they are there.

What was taken cannot be deleted until it is released: whoever takes writes the row that names it meanwhile.
"""

import hashlib
import os
from collections.abc import Awaitable, Callable, Sequence

from attrs import define, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_holdings import Holdings
from regproxy.model.digest import Digest, new_hash
from regproxy.model.node import Node
from regproxy.repo.intake import ALGORITHMS, Allowance, check, told
from regproxy.repo.interface import Arrived
from regproxy.repo.parts import Parts
from regproxy.repo.room import Berth
from regproxy.stream.capped import Capped
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.hashing import Hashes
from regproxy.stream.ingest import Ingest
from regproxy.stream.pool import Pool
from regproxy.stream.source import BlobWriter, Source

READ = 1 << 20

Look = Callable[[Arrived], Awaitable[object]]


@frozen(eq=False)
class Taken:
    """A blob that is in the store, durable; ``release`` is called once, and blocks."""

    size: int
    digests: dict[str, Digest]
    release: Callable[[], None]


@define(eq=False)
class Storing:
    """Takes bytes into the store."""

    _parts: Parts
    _holdings: Holdings

    async def body(
        self, source: Source, promised: Sequence[Digest] = (), room: Allowance | None = None, look: Look | None = None
    ) -> Taken:
        """Take a body; ``RegproxyError`` says why not, and then it has been aborted. ``look`` may raise when it is all there."""
        parts = self._parts
        try:
            berth, pool = await parts.room.make(source.length)
        except BaseException as error:
            source.abort()
            raise told(error) from error
        try:
            return await self._body(source, berth, pool, promised, room, look)
        finally:
            berth.leave()

    async def _body(
        self,
        source: Source,
        berth: Berth,
        pool: Pool,
        promised: Sequence[Digest],
        room: Allowance | None,
        look: Look | None,
    ) -> Taken:
        parts = self._parts
        try:
            writer = berth.spool = await parts.writers.run(lambda: parts.store.create(source.length))
        except BaseException as error:
            source.abort()
            raise told(error) from error
        try:
            blob = GrowingBlob.over(writer.fileno(), source.length, withheld=False)
        except OSError as error:
            source.abort()
            await parts.writers.run(writer.abort)
            raise told(error) from error
        try:
            capped = source if room is None else Capped(source, room.size, room.error)
            digests = await self._ingest(capped, blob, writer, pool, promised)
            size = blob.extents.reach(0)
            if look is not None:
                await look(Arrived(blob.fileno(), size, digests))
            await parts.syncs.run(lambda: writer.commit(digests["sha256"].hex, durable=True, claim=True))
        except BaseException as error:
            await parts.writers.run(writer.abort)
            raise told(error) from error
        finally:
            blob.release()
        return Taken(size, digests, writer.settle)

    async def _ingest(
        self, source: Source, blob: GrowingBlob, writer: BlobWriter, pool: Pool, promised: Sequence[Digest]
    ) -> dict[str, Digest]:
        names = {*ALGORITHMS, *(digest.algorithm for digest in promised)}
        hashes = Hashes({name: new_hash(name, source.length) for name in sorted(names)})
        await Ingest(blob, writer, pool, hashes).run(source)
        digests = hashes.digests()
        check(promised, digests)
        return digests

    async def here(self, promised: Sequence[Digest], may_use: Callable[[Node], bool]) -> Taken | None:
        """Take bytes that are here; None unless a node that ``may_use`` admits has all the promised digests."""
        readers, store, index = self._parts.readers, self._parts.store, self._parts.index
        names = {index.blob_of(digest) for digest in promised}
        sha256 = names.pop() if len(names) == 1 else None
        if sha256 is None or not any(map(may_use, await readers.run(lambda: index.nodes_of(sha256)))):
            return None
        claim = await readers.run(lambda: store.claim(sha256))
        if claim is None:
            return None
        try:
            row = index.blob(sha256)
            digests = await self._digests(sha256)
            if row is not None and all(digests.get(digest.algorithm) == digest for digest in promised):
                if not row.synced:
                    await self._parts.syncs.run(lambda: store.sync(sha256))
                return Taken(row.size, digests, claim.release)
        except BaseException:
            await readers.run(claim.release)
            raise
        await readers.run(claim.release)
        return None

    async def _digests(self, sha256: str) -> dict[str, Digest]:
        """All that is known of a blob that is claimed; it is read if that is not enough."""
        known = {digest.algorithm: digest for digest in self._holdings.digests(sha256)}
        known["sha256"] = Digest("sha256", sha256)
        if known.keys() >= set(ALGORITHMS):
            return known
        return known | await self._parts.readers.run(lambda: self._hash_blob(sha256))

    def _hash_blob(self, sha256: str) -> dict[str, Digest]:
        reader = self._parts.store.open(sha256)
        if reader is None:
            raise RegproxyError(Kind.STORAGE, "its bytes have just gone")
        hashes = Hashes({name: hashlib.new(name, usedforsecurity=False) for name in ALGORITHMS})
        try:
            for offset in range(0, reader.size, READ):
                hashes.update([os.pread(reader.fileno(), READ, offset)])
        finally:
            reader.close()
        return hashes.digests()
