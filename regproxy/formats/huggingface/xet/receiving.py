"""What clients send by Xet: xorbs, which are kept for some days, and shards, by which whole files are put together out of them.

A xorb is there when all its chunks can be read and hash to its name; a file, when it is what the shard says that it hashes to.
Then it is an LFS object like any other, and a commit takes it. Xorbs belong to one repository: nobody puts together what is
another's.
"""

from collections.abc import AsyncIterator, Callable, Sequence

from attrs import define, field, frozen
from twisted.internet.interfaces import IPushProducer

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import Id
from regproxy.formats.huggingface.local.leftovers import is_lasting
from regproxy.formats.huggingface.local.places import object_place, xorb_place
from regproxy.formats.huggingface.plan import OCTETS
from regproxy.formats.huggingface.xet.calls import Shard, Xorb
from regproxy.formats.huggingface.xet.shard import File, ShardReader, Term
from regproxy.formats.huggingface.xet.xorb import LIMIT, Chunk, chunks_of, name_of, read_chunk
from regproxy.model.access import Action
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Arrived, Body, Hosting, Serving, WrongDigestError
from regproxy.stream.capped import Capped
from regproxy.stream.pulled import Pulled
from regproxy.stream.source import Readable
from regproxy.web.request import ProxyRequest

PIECE = 1 << 20
"""So many bytes of a file, about, are unpacked in one go."""

Told = Callable[[int, int], object]


@define(eq=False)
class _Feeding:
    """A consumer that reads a shard as it comes."""

    reader: ShardReader = field(factory=ShardReader)
    error: ValueError | None = field(default=None, init=False)
    _producer: IPushProducer | None = field(default=None, init=False)

    def start(self, producer: IPushProducer) -> None:
        self._producer = producer

    def write(self, data: bytes) -> None:
        if self.error is not None:
            return
        try:
            self.reader.feed(data)
        except ValueError as error:
            self.error = error
            if self._producer is not None:
                self._producer.stopProducing()


@frozen
class _Opened:
    """A xorb that is being read."""

    readable: Readable
    chunks: Sequence[Chunk]


@frozen
class Receiving:
    """Takes what one request sends."""

    _serving: Serving
    _repository: Hosting
    _request: ProxyRequest

    async def xorb(self, call: Xorb) -> bool:
        """Take a xorb; whether it is new."""
        place = xorb_place(call.repo, call.generation, call.hash)
        self._request.node = place
        who = self._serving.permit(self._request, Action.WRITE, place)

        async def approve(upload: Upload, arrived: Arrived) -> Upload:
            try:
                name = await self._serving.apart(lambda: name_of(arrived.descriptor, arrived.size))
            except ValueError as error:
                raise RegproxyError(Kind.INVALID, f"this is no xorb: {error}") from error
            if name != call.hash:
                raise RegproxyError(Kind.INVALID, f"these bytes are the xorb {name}, not {call.hash}")
            return upload

        too_large = RegproxyError(Kind.TOO_LARGE, "a xorb has at most 65 MiB")
        if (self._request.body.length or 0) > LIMIT:
            raise too_large
        head = Head(media_type=OCTETS, etag=f'"{call.hash}"')
        upload = Upload(place, by=who, may_replace=True, head=head, is_transient=True)
        receipt = await self._repository.receive(upload, Capped(self._request.body, LIMIT, too_large), approve)
        return receipt.is_new

    async def shard(self, call: Shard) -> Sequence[File]:
        """Read a shard; the files that it is about."""
        self._request.node = xorb_place(call.repo, call.generation, "")
        self._serving.permit(self._request, Action.WRITE, self._request.node)
        feeding = _Feeding()
        try:
            await self._request.body.deliver(feeding)
            if feeding.error is None:
                return feeding.reader.end()
        except ValueError as error:
            raise _no_shard(error) from error
        except RegproxyError:
            if feeding.error is None:
                raise
        assert feeding.error is not None
        raise _no_shard(feeding.error)

    async def assemble(self, call: Shard, files: Sequence[File], told: Told) -> None:
        """Make each file an LFS object; ``told`` hears how many bytes are done, of how many."""
        total, done = sum(file.size for file in files), 0
        for file in files:
            start = done

            def on(size: int, start: int = start) -> None:
                told(start + size, total)

            if not await self._is_here(call.repo, file):
                await self._assemble(call, file, on)
            done += file.size
            told(done, total)

    async def _is_here(self, repo: Id, file: File) -> bool:
        sent, now = self._serving.tree.node(object_place(repo, file.sha256)), self._request.began
        if sent is not None and is_lasting(sent, now):
            return True
        named = await self._serving.tree.named_by(Digest("sha256", file.sha256))
        return any(self._serving.sees(self._request, node) for node in named if is_lasting(node, now))

    async def _assemble(self, call: Shard, file: File, on: Callable[[int], object]) -> None:
        place = object_place(call.repo, file.sha256)
        who = self._serving.permit(self._request, Action.WRITE, place)
        head = Head(media_type=OCTETS, etag=f'"{file.sha256}"')
        upload = Upload(place, (Digest("sha256", file.sha256),), by=who, may_replace=True, head=head)
        try:
            await self._repository.receive(upload, Pulled(file.size, self._pieces(call, file, on)))
        except WrongDigestError as error:
            raise RegproxyError(Kind.INVALID, f"the shard does not make the file that it says: {error.text}") from error

    async def _pieces(self, call: Shard, file: File, on: Callable[[int], object]) -> AsyncIterator[bytes]:
        """The bytes of a file, a few chunks at a time; the xorb that was read last stays open for what follows."""
        opened: _Opened | None = None
        name, size = "", 0
        try:
            for term in file.terms:
                if opened is None or name != term.xorb:
                    if opened is not None:
                        opened.readable.release()
                        opened = None
                    opened, name = await self._open(call, term.xorb), term.xorb
                for batch in _batches(opened.chunks, term):
                    piece = await self._serving.apart(lambda at=opened, some=batch: _read(at, some))  # type: ignore[misc] # defaults, not parameters
                    size += len(piece)
                    on(size)
                    yield piece
        finally:
            if opened is not None:
                opened.readable.release()

    async def _open(self, call: Shard, xorb: str) -> _Opened:
        found = await self._repository.resolve(Want(xorb_place(call.repo, call.generation, xorb), Shape.BLOB, body=False))
        if not isinstance(found, Body):
            raise RegproxyError(Kind.INVALID, f"xorb '{xorb}' not found")
        readable = found.readable
        try:
            size = readable.size or 0
            return _Opened(readable, await self._serving.apart(lambda: chunks_of(readable.fileno(), size)))
        except BaseException:
            readable.release()
            raise


def _batches(chunks: Sequence[Chunk], term: Term) -> Sequence[Sequence[Chunk]]:
    """The chunks of a term, in runs of a piece each; INVALID if the xorb has not those."""
    wanted = chunks[term.start : term.stop]
    if len(wanted) != term.stop - term.start or sum(chunk.size for chunk in wanted) != term.size:
        raise RegproxyError(Kind.INVALID, f"xorb '{term.xorb}' has no such chunks")
    found: list[list[Chunk]] = [[]]
    size = 0
    for chunk in wanted:
        if size > PIECE:
            found.append([])
            size = 0
        found[-1].append(chunk)
        size += chunk.size
    return found


def _read(opened: _Opened, chunks: Sequence[Chunk]) -> bytes:
    return b"".join(read_chunk(opened.readable.fileno(), chunk) for chunk in chunks)


def _no_shard(error: ValueError) -> RegproxyError:
    return RegproxyError(Kind.INVALID, f"this is no shard: {error}")
