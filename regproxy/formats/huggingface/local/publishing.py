"""Makes changes of a local repository visible, each whole, one after the other.

A change is made from the branches and tags as they are, and written together with them in one transaction that fails if they are
others by then: it is made again. Within a process the changes of one repository wait for each other, so that happens between
processes only.
"""

from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

from attrs import define, field, frozen
from twisted.internet.defer import DeferredLock

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import Id
from regproxy.formats.huggingface.local.archive import Archive, Read
from regproxy.formats.huggingface.local.history import Commit
from regproxy.formats.huggingface.local.places import commit_place, references_place, tree_place
from regproxy.formats.huggingface.local.references import References
from regproxy.formats.huggingface.local.snapshot import Snapshot
from regproxy.model.deposit import Upload
from regproxy.model.head import Head
from regproxy.repo.interface import Hosting, Serving
from regproxy.repo.interface_bundle import Bundled, Piece
from regproxy.stream.held import Held

TRIES = 20

Uploads = Sequence[tuple[Upload, Piece]]


@frozen
class Change:
    """What is to be written.

    Attributes:
        commit: what the branch or tag means then, for the client.
        references: branches and tags as they are to be; None if nothing is to be changed.
    """

    commit: str
    references: References | None = None
    uploads: Uploads = ()
    removed: Sequence[str] = ()


Make = Callable[[Read | None], Awaitable[Change]]


@define(eq=False)
class Publisher:
    """Writes to one local repository."""

    serving: Serving
    repository: Hosting
    archive: Archive
    _locks: "WeakValueDictionary[str, DeferredLock]" = field(factory=WeakValueDictionary, init=False)

    async def change(self, repo: Id, who: str, bundle: Bundled, make: Make) -> Change:
        """Make a change from what is there, and write it."""
        place = references_place(repo)
        lock = self._locks.setdefault(place, DeferredLock())
        await lock.acquire()
        try:
            for _ in range(TRIES):
                read = await self.archive.references(repo)
                change = await make(read)
                if change.references is None:
                    return change
                document = await self.document(bundle, place, change.references.to_json(), who)
                expected = {place: None if read is None else read.node.sha256}
                if await bundle.publish([*change.uploads, document], change.removed, expected):
                    return change
        finally:
            lock.release()
        raise RegproxyError(Kind.UPSTREAM_BUSY, "too many change this repository at once", retry_after=1)

    async def document(self, bundle: Bundled, place: str, document: bytes, who: str) -> tuple[Upload, Piece]:
        """One document, to be put at a place."""
        piece = await bundle.receive(Held(document))
        head = Head(media_type="application/json", etag=f'"{piece.sha256}"')
        return Upload(place, by=who, may_replace=True, head=head), piece

    async def commit(self, bundle: Bundled, repo: Id, commit: Commit, snapshot: Snapshot, who: str) -> Uploads:
        """The documents of a commit."""
        tree = await self.serving.apart(snapshot.to_json)
        name = commit.id
        return [
            await self.document(bundle, tree_place(repo, name), tree, who),
            await self.document(bundle, commit_place(repo, name), commit.to_json(), who),
        ]
