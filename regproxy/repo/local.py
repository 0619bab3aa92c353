"""A local repository: what clients put into it, and nothing else.

Rules:

1. Nothing of an upload can be seen before all of it is there, is what the client said, and is on the disk; then its row makes it
   visible as one step. A client that is told 201 finds it after a power loss.
2. What would be refused anyway is refused before the first byte is asked for; what may have changed meanwhile is decided again
   in the transaction of the row: of several uploads to one path each is whole, and the last row stands.
3. An upload whose body has come goes on when its client leaves.
4. Its bytes are there once: they are claimed in the store until the row names them.
"""

from collections.abc import Callable

from attrs import define, field

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_holdings import Holdings
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.bundle import Bundle
from regproxy.repo.intake import Intake, told
from regproxy.repo.interface import Answer, Approve, Arrived, Body, Missing, Origin, Receipt, Refused, Unavailable
from regproxy.repo.parts import Parts
from regproxy.repo.sessions import Sessions
from regproxy.repo.shelf import Shelf
from regproxy.repo.storing import Storing, Taken
from regproxy.repo.trash import Trash
from regproxy.stream.apart import apart, to_the_end
from regproxy.stream.source import Source
from regproxy.telemetry.events import What


@define(eq=False)
class Local:
    """One local repository."""

    _settings: RepositorySettings
    _parts: Parts
    _holdings: Holdings
    _shelf: Shelf
    _trash: Trash | None = None
    _intake: Intake = field(init=False)
    _storing: Storing = field(init=False)
    sessions: Sessions = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._intake = Intake(self._settings, self._parts, self._holdings)
        self._storing = Storing(self._parts, self._holdings)
        self.sessions = Sessions(self._parts, self._intake)

    @property
    def key(self) -> str:
        """Its name in addresses."""
        return self._settings.key

    @property
    def settings(self) -> RepositorySettings:
        """Its configuration."""
        return self._settings

    def has(self, path: str, digest: Digest | None = None) -> bool:
        """Whether a node is held there."""
        node = self._parts.index.node(self.key, path)
        return node is not None and (digest is None or digest.algorithm != "sha256" or digest.hex == node.sha256)

    def refusal(self, path: str) -> Refused | None:
        """What everybody is told who asks for a path that is closed, be it there or not."""
        reason = self._intake.refusal(path)
        return None if reason is None else Refused(403, reason)

    async def resolve(self, want: Want) -> Answer:
        """Look into the index, and nowhere else."""
        refused = self.refusal(want.path)
        if refused is not None:
            return refused
        node = self._parts.index.node(self.key, want.path) if self.has(want.path, want.digest) else None
        if node is None:
            return Missing(f"{self.key} does not have it")
        readable = await self._shelf.open(node)
        if readable is None:
            if self._parts.index.node(self.key, want.path) != node:
                return await self.resolve(want)  # deleted or overwritten since it was looked up
            return Unavailable(500, "its bytes are gone, or damaged and put aside")
        if want.body:
            self._parts.index.used(node.repository, node.path, node.sha256, self._parts.clock.seconds())
        return Body(node.head, readable, Origin.LOCAL, path=node.path)

    def close(self) -> None:
        """It was removed with everything in it: what is still arriving has no place to go."""
        self._intake.close()

    # Uploads.

    async def receive(self, upload: Upload, source: Source, approve: Approve | None = None) -> Receipt:
        """Take a body and make it a node; ``RegproxyError`` says why not, and then nothing has changed."""
        return await apart(self._receive(upload, source, approve), f"an upload to {self.key}")

    async def link(self, upload: Upload, may_use: Callable[[Node], bool]) -> Receipt | None:
        """Make a node of bytes that are here already; None unless a node that ``may_use`` admits has all the promised digests."""
        return await apart(self._link(upload, may_use), f"a link in {self.key}")

    async def take(self, node: Node, upload: Upload, *, moves: bool, is_dry: bool = False) -> None:
        """Put a node of any repository at another path, with its properties and those of the upload."""
        await self._intake.admit(upload, node.size)
        row = self._parts.index.blob(node.sha256)
        if row is None:
            raise RegproxyError(Kind.CONFLICT, f"{node.path!a} has just gone")
        if is_dry:
            return
        if not row.synced:
            try:
                await self._parts.syncs.run(lambda: self._parts.store.sync(node.sha256))
            except OSError as error:
                raise told(error) from error
        await self._intake.take(node, upload, moves=moves)
        what, whence = What.MOVED if moves else What.COPIED, f"from {node.repository}:{node.path}"
        about = {"sha256": node.sha256, "size": node.size, "detail": whence}
        self._parts.events.tell(what, repository=self.key, path=upload.path, **about)

    async def _receive(self, upload: Upload, source: Source, approve: Approve | None) -> Receipt:
        try:
            room = await self._intake.admit(upload, source.length)
        except BaseException as error:
            source.abort()
            raise told(error) from error
        approved = upload

        async def look(arrived: Arrived) -> None:
            nonlocal approved
            if approve is not None:
                approved = await approve(upload, arrived)

        taken = await self._storing.body(source, upload.promised, room, look)
        return await self._publish(approved, taken)

    async def _link(self, upload: Upload, may_use: Callable[[Node], bool]) -> Receipt | None:
        await self._intake.admit(upload, None)
        taken = await self._storing.here(upload.promised, may_use)
        return None if taken is None else await self._publish(upload, taken)

    async def _publish(self, upload: Upload, taken: Taken) -> Receipt:
        try:
            return await self._intake.publish(upload, taken.size, taken.digests)
        finally:
            await self._parts.writers.run(taken.release)

    def bundle(self) -> Bundle:
        """Begin several uploads that become nodes as one step."""
        return Bundle(self._parts, self._holdings, self._intake, self._storing)

    def check_room(self, size: int) -> None:
        """``RegproxyError`` if the repository may not hold so many bytes more."""
        room = self._intake.room(0)
        if room is not None and size > room.size:
            raise room.error

    async def make_folder(self, path: str, by: str) -> bool:
        """Make a folder (its path ends in a slash); False if it was there."""
        refusal = self._intake.refusal(path)
        if refusal is not None:
            raise RegproxyError(Kind.DENIED, refusal)
        return await self._holdings.make_folder(self.key, path, self._parts.clock.seconds(), by)

    @to_the_end("deleting something")
    async def delete(self, path: str, by: str = "") -> bool:
        """Remove a node, or a folder (its path ends in a slash) with all that is in it; False if there is none."""
        if self._settings.blacked_out:
            raise RegproxyError(Kind.DENIED, f"repository {self.key} is blacked out")
        deleted = await self._delete(path, by)
        if deleted:
            self._parts.events.tell(What.DELETED, repository=self.key, path=path)
        return deleted

    async def _delete(self, path: str, by: str) -> bool:
        if self._trash is None:
            return await self._holdings.delete(self.key, path)
        if path.endswith("/"):
            return await self._trash.keep_all(self.key, path, by)
        node = self._parts.index.node(self.key, path)
        if node is not None:
            await self._trash.keep(node, by)
        return node is not None
