"""What lets an upload into a local repository: the checks before its first byte, and the row that makes it visible.

However its bytes come, in one body, in pieces, or from a blob that is here already, it passes here.
"""

import errno
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from urllib.parse import quote

from attrs import define, evolve, field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_holdings import Holdings
from regproxy.model.deposit import Deposit, Taking, Upload, folders_above
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.media import media_type_of
from regproxy.model.node import Node
from regproxy.model.patterns import Patterns
from regproxy.model.settings import RepositorySettings
from regproxy.model.size import parse_size
from regproxy.repo.interface import Receipt, WrongDigestError
from regproxy.repo.parts import Parts
from regproxy.telemetry.events import What

ALGORITHMS = ("md5", "sha1", "sha256")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@frozen
class Allowance:
    """What is left of a quota, and what whoever goes beyond it is told."""

    size: int
    error: RegproxyError


@define(eq=False)
class Intake:
    """The door of one repository."""

    _settings: RepositorySettings
    _parts: Parts
    _holdings: Holdings
    _patterns: Patterns = field(init=False)
    _most: int | None = field(init=False)
    _is_closed: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._patterns = Patterns.of(self._settings.includes_pattern, self._settings.excludes_pattern)
        self._most = parse_size(self._settings.max_bytes) if self._settings.max_bytes else None

    @property
    def key(self) -> str:
        """The repository's."""
        return self._settings.key

    def close(self) -> None:
        """Let nothing in any more."""
        self._is_closed = True

    def refusal(self, path: str) -> str | None:
        """Why a path is closed to everybody; None if it is not."""
        if self._settings.blacked_out:
            return f"repository {self.key} is blacked out"
        if not self._patterns.admits(path):
            return f"repository {self.key} excludes this path by its patterns"
        return None

    async def admit(self, upload: Upload, length: int | None) -> Allowance | None:
        """Refuse what can be refused now; bytes that there is room for, None without a quota."""
        refusal = self.refusal(upload.path)
        if refusal is not None:
            raise RegproxyError(Kind.DENIED, refusal)
        held = self._parts.index.node(self.key, upload.path)
        if held is not None and not upload.may_replace:
            raise RegproxyError(Kind.DENIED, f"{upload.path!a} is there already, and replacing it needs the right to delete it")
        for folder in folders_above(upload.path):
            if self._parts.index.node(self.key, folder[:-1]) is not None:
                raise RegproxyError(Kind.CONFLICT, f"{folder[:-1]!a} is a file: nothing lies below it")
        if await self._parts.readers.run(lambda: self._holdings.folder(self.key, f"{upload.path}/")) is not None:
            raise RegproxyError(Kind.CONFLICT, f"{upload.path!a} is a folder")
        room = self.room(held.size if held is not None else 0, is_transient=upload.is_transient)
        if room is not None and (length or 0) > room.size:
            raise room.error
        return room

    def room(self, freed: int, *, is_transient: bool = False) -> Allowance | None:
        """Bytes that there is room for, if so many are freed; None without a quota."""
        if self._most is None:
            return None
        text = f"repository {self.key} may hold {self._most} bytes, and would hold more with this file"
        occupied = self._holdings.occupied(self.key)
        there = occupied.transient if is_transient else occupied.size
        return Allowance(self._most - there + freed, RegproxyError(Kind.TOO_LARGE, text))

    async def publish(self, upload: Upload, size: int, digests: Mapping[str, Digest]) -> Receipt:
        """Make a blob that is claimed a node."""
        deposit = self.deposit(upload, size, digests, self._parts.clock.seconds())
        is_new = await self._holdings.deposit(deposit)
        self.tell(deposit.node)
        return Receipt(self._parts.index.node(self.key, upload.path) or deposit.node, tuple(deposit.digests), is_new)

    def tell(self, node: Node) -> None:
        """A node was deposited."""
        self._parts.events.tell(What.DEPLOYED, repository=self.key, path=node.path, sha256=node.sha256, size=node.size)

    def deposit(self, upload: Upload, size: int, digests: Mapping[str, Digest], now: float) -> Deposit:
        """The node that an upload becomes."""
        if self._is_closed:
            raise RegproxyError(Kind.NOT_FOUND, f"repository {self.key} has been removed")
        sha256 = digests["sha256"].hex
        node = Node(self.key, upload.path, sha256, size, _head(upload, size, digests, now), Headers(), now, now, now)
        known = tuple(digests[name] for name in sorted(digests))
        return Deposit(node, known, upload.properties, upload.by, upload.may_replace, self._most, upload.is_transient)

    async def take(self, node: Node, upload: Upload, *, moves: bool) -> None:
        """Put a node that is held already, and whose blob is durable, at another place."""
        now = self._parts.clock.seconds()
        taking = Taking(node, self.key, upload.path, upload.by, upload.may_replace, moves, now, self._most, upload.properties)
        if self._is_closed:
            raise RegproxyError(Kind.NOT_FOUND, f"repository {self.key} has been removed")
        await self._holdings.take(taking)
        self._parts.events.tell(What.DEPLOYED, repository=self.key, path=upload.path, sha256=node.sha256, size=node.size)
        if moves:
            self._parts.events.tell(What.DELETED, repository=node.repository, path=node.path)


def check(promised: Sequence[Digest], digests: Mapping[str, Digest]) -> None:
    """Refuse bytes that are not what the client said; nothing of them is visible yet."""
    for digest in promised:
        found = digests[digest.algorithm]
        if found != digest:
            raise WrongDigestError(digest, found)


def _head(upload: Upload, size: int, digests: Mapping[str, Digest], now: float) -> Head:
    """What downloads will say. Of plain files the ETag is the SHA-1, as clients of this API expect, and none is shown inline."""
    checksums = Headers.of(x_checksum_sha1=digests["sha1"].hex, x_checksum_md5=digests["md5"].hex)
    modified = formatdate(now, usegmt=True)
    if upload.head is not None:
        return evolve(upload.head, length=size, last_modified=modified, kept=upload.head.kept.plus(*checksums.fields))
    name = quote(upload.path.rpartition("/")[2], safe="")
    kept = checksums.plus(("content-disposition", f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"))
    return Head(size, media_type_of(upload.path), f'"{digests["sha1"].hex}"', modified, kept)


def told(error: BaseException) -> BaseException:
    """What the client is told of an upload that cannot be stored."""
    if not isinstance(error, OSError):
        return error
    if error.errno in _FULL:
        return RegproxyError(Kind.NO_ROOM, "there is no room for this file on the disk", detail=repr(error))
    return RegproxyError(Kind.STORAGE, "the file cannot be stored", detail=repr(error))
