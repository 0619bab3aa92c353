"""``GET /api/archive/download/{repo}/{path}?archiveType=zip|tar|tar.gz|tgz``: a folder as one file, made while it is sent.

Of a remote it has what is held, of a virtual repository what its members hold; what who asks may not read is left out. A file
that is deleted meanwhile is left out, too; one that cannot be read cuts the archive. Each file counts as downloaded.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from urllib.parse import quote

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from regproxy.admin.arguments import Arguments
from regproxy.admin.desk import named
from regproxy.admin.looking import name_of
from regproxy.admin.packing import TYPES, Packer, media_type_for, packer_for
from regproxy.admin.storage import Item, Storage
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.node import Node
from regproxy.model.settings import Archives as Limits
from regproxy.model.size import parse_size
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Body, Origin, Repository, Serving
from regproxy.stream.copied import Copied
from regproxy.stream.places import RETRY_AFTER
from regproxy.web.catalog import Catalog
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest
from regproxy.web.serving import Served
from regproxy.web.streamed import send_pieces
from regproxy.web.virtual import Member

PIECE = 64 << 10


@frozen
class Entry:
    """One file, in the member that has it."""

    part: Serving
    path: str


@define(eq=False)
class Archives:
    """Makes them, so many at once; whoever asks has half of the places at most."""

    _catalog: Catalog
    _gate: Gate
    _limits: Limits
    _clock: IReactorTime
    _making: Counter[str] = field(factory=Counter, init=False)

    async def send(self, request: ProxyRequest) -> None:
        """Answer a GET or HEAD."""
        who = named(request, self._gate).name
        arguments = Arguments.of(request.uri)
        kind, with_sums = arguments.first("archiveType"), arguments.flag("includeChecksumFiles", default=False)
        if kind not in TYPES:
            raise RegproxyError(Kind.INVALID, f"archiveType is one of {', '.join(TYPES)}")
        if not self._limits.at_once:
            raise RegproxyError(Kind.DENIED, "folders are not sent as archives here ([archives] atOnce = 0)")
        request.rest = request.rest[1:]
        item = await Storage(self._catalog).item(request, Action.READ)
        if isinstance(item.found, Node):
            raise RegproxyError(Kind.INVALID, f"{item.path!a} is a file: an archive is one of a folder")
        if self._making.total() >= self._limits.at_once or self._making[who] * 2 >= self._limits.at_once:
            raise RegproxyError(Kind.UPSTREAM_BUSY, "too many archives are made just now", retry_after=RETRY_AFTER)
        self._making[who] += 1
        try:
            entries = await self._entries(request, item)
            making = Making(self._catalog, self._clock, packer_for(kind), entries, len(item.path), with_sums, who)
            request.origin = Origin.LOCAL.value
            headers = {"content-type": media_type_for(kind), "content-disposition": _disposition(item, kind)}
            if request.method == b"HEAD":
                for name, value in headers.items():
                    request.setHeader(name, value)
                return
            async with aclosing(making.pieces()) as pieces:
                await send_pieces(request, headers, pieces, self._clock)
        finally:
            self._making[who] -= 1
            self._making += Counter()  # forgets who has none
            item.served.sent(request)

    async def _entries(self, request: ProxyRequest, item: Item) -> Sequence[Entry]:
        """All that he may read, if that is not too much."""
        found: dict[str, Entry] = {}
        left = parse_size(self._limits.max_bytes)
        for part in item.parts:
            async for page in part.tree.below(item.path):
                new = [each for each in page if each.path not in found and part.permits(request, Action.READ, each.path)]
                found |= {each.path: Entry(part, each.path) for each in new}
                left -= sum(each.size for each in new)
                if len(found) > self._limits.max_files or left < 0:
                    text = f"an archive has at most {self._limits.max_files} files and {self._limits.max_bytes}"
                    raise RegproxyError(Kind.TOO_LARGE, f"{text}, and this folder has more: ask for a folder of it")
        return list(found.values())


@define(eq=False)
class Making:
    """One archive, on its way; ``_depth`` is how much of each path is its folder's."""

    _catalog: Catalog
    _clock: IReactorTime
    _packer: Packer
    _entries: Sequence[Entry]
    _depth: int
    _with_sums: bool
    _by: str

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Everything, as it is made, in pieces that are worth to be sent."""
        gathered: list[bytes] = []
        size = 0
        try:
            for entry in self._entries:
                async with aclosing(self._file(entry)) as steps:
                    async for step in steps:
                        gathered.append(step)
                        size += len(step)
                        if size >= PIECE:
                            yield b"".join(gathered)
                            gathered, size = [], 0
            yield b"".join(gathered) + self._packer.close()
        finally:
            self._packer.drop()

    async def _file(self, entry: Entry) -> AsyncGenerator[bytes, None]:
        part = entry.part
        answer, node = await self._holder(part).resolve(Want(entry.path, Shape.BLOB)), part.tree.node(entry.path)
        if node is None:
            if isinstance(answer, Body):
                answer.readable.release()
            return
        if not isinstance(answer, Body):
            raise RegproxyError(Kind.STORAGE, f"{entry.path!a} cannot be read")
        packer, name = self._packer, entry.path[self._depth :].lstrip("/")
        try:
            yield packer.begin(name, answer.readable.size or 0, node.modified)
            async for piece in Copied(answer.readable, part.apart).pieces():
                yield await part.apart(lambda piece=piece: packer.add(piece))  # type: ignore[misc] # a default, not a parameter
            yield packer.end()
        finally:
            answer.readable.release()
        for algorithm, digest in part.tree.digests(node).items() if self._with_sums else ():
            text = digest.encode("ascii")
            yield packer.begin(f"{name}.{algorithm}", len(text), node.modified) + packer.add(text) + packer.end()
        part.tree.downloaded(entry.path, self._clock.seconds(), self._by)

    def _holder(self, part: Serving) -> Repository:
        """What has the bytes and asks nobody for them: of a remote, its companion."""
        served = part.served if isinstance(part, Member) else part
        assert isinstance(served, Served)
        return (self._catalog(name_of(served)) or served).repository


def _disposition(item: Item, kind: str) -> str:
    folder = item.path.rstrip("/").rpartition("/")[2] or item.key
    name = quote(f"{folder}.{kind}", safe="")
    return f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
