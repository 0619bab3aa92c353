"""Commits: a body of lines is taken line by line, and becomes visible whole, or not at all.

1. The bytes of small files go into the store as they come, unseen; those of large ones were sent before (``objects.py``).
2. What the lines mean is worked out from the branch as it is when they are all there, and published with the branch in one step.
3. A client that did not hear our answer sends the same again, and hears of the commit that it has made.
4. To replace or to delete a file needs the right to delete it, though history keeps it: whoever reads the branch has lost it.
"""

import hashlib
from collections.abc import Callable

from attrs import define, field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import AddressError, Id, is_commit
from regproxy.formats.huggingface.local.applying import Applicable, Applied, apply, placed
from regproxy.formats.huggingface.local.archive import Read
from regproxy.formats.huggingface.local.calls import NewCommit
from regproxy.formats.huggingface.local.git import EMPTY_TREE, object_id
from regproxy.formats.huggingface.local.history import Commit
from regproxy.formats.huggingface.local.hosted import head_of
from regproxy.formats.huggingface.local.operations import (
    AddFile,
    AddLfs,
    CopyFile,
    Header,
    Operation,
    parse_header,
    parse_operation,
)
from regproxy.formats.huggingface.local.places import file_place, object_place, shown_place
from regproxy.formats.huggingface.local.publishing import Change, Publisher, Uploads
from regproxy.formats.huggingface.local.references import References, is_name
from regproxy.formats.huggingface.local.snapshot import Entry, Snapshot, lfs_entry
from regproxy.model.access import Action
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.repo.interface_bundle import Bundled, Piece
from regproxy.stream.held import Held
from regproxy.stream.lines import Lines
from regproxy.stream.source import Source

LINE_LIMIT = 3 << 20
"""A file in a line may have 2 MiB or so; larger ones are to be sent as LFS objects."""

MOST_LINES = 50_000
INLINE = 16 << 10
PARENT_DIGITS = 7


@frozen
class Committer:
    """Who commits: his name, and what he may do; ``permit`` raises."""

    who: str
    permit: Callable[[Action, str], object]
    sees: Callable[[Node], bool]


@define(eq=False)
class Committing:
    """One commit, while its body comes."""

    _publisher: Publisher
    _address: NewCommit
    _by: Committer
    _now: int
    _header: Header = field(default=Header(""), init=False)
    _operations: list[Operation | Entry] = field(factory=list, init=False)
    _pieces: dict[str, Piece] = field(factory=dict, init=False)
    _hash: "hashlib._Hash" = field(factory=hashlib.sha256, init=False)

    async def run(self, source: Source) -> str:
        """Take the body; the id of the commit. ``AddressError`` or ``RegproxyError`` says why not."""
        bundle = self._publisher.repository.bundle()
        lines = Lines(LINE_LIMIT)
        try:
            lines.read(source)
            await self._take(lines, bundle)
            change = await self._publisher.change(
                self._address.repo, self._by.who, bundle, lambda read: self._change(read, bundle)
            )
        finally:
            lines.stop()
            await bundle.close()
        return change.commit

    async def _take(self, lines: Lines, bundle: Bundled) -> None:
        self._header = parse_header(self._hashed(await lines.next() or b""))
        while (line := await lines.next()) is not None:
            if not line.strip():
                continue
            if len(self._operations) >= MOST_LINES:
                raise AddressError(Kind.TOO_LARGE, "PayloadTooLarge", f"a commit has at most {MOST_LINES} lines")
            operation = await self._parse(self._hashed(line))
            self._by.permit(Action.WRITE, self._shown(operation.path))
            self._operations.append(await self._store(operation, bundle) if isinstance(operation, AddFile) else operation)

    def _hashed(self, line: bytes) -> bytes:
        self._hash.update(b"%d:" % len(line))
        self._hash.update(line)
        return line

    async def _parse(self, line: bytes) -> Operation:
        if len(line) < INLINE:
            return parse_operation(line)
        return await self._publisher.serving.apart(lambda: parse_operation(line))

    async def _store(self, operation: AddFile, bundle: Bundled) -> Entry:
        oid = object_id("blob", operation.content)
        piece = await bundle.receive(Held(operation.content), (Digest("git-sha1", oid),))
        self._pieces[piece.sha256] = piece
        return Entry(operation.path, oid, piece.size, piece.sha256, is_lfs=False, at="")

    async def _change(self, read: Read | None, bundle: Bundled) -> Change:
        """Work out what the lines mean now."""
        repo, branch = self._address.repo, self._address.revision
        references = References() if read is None else read.references
        head = references.branches.get(branch)
        if head is None:
            self._check_new(references)
        last = None if head is None else await self._publisher.archive.commit(repo, head)
        request = self._hash.hexdigest()
        if head is not None and last is not None and (last.request, last.user) == (request, self._by.who):
            return Change(head)
        self._check_parent(head)
        before = Snapshot() if head is None else await self._snapshot(repo, head)
        operations, used = await self._resolved(bundle)
        sources = await self._sources(repo)
        applied = await self._publisher.serving.apart(lambda: apply(before, operations, sources))
        for path in applied.lost:
            self._by.permit(Action.DELETE, self._shown(path))
        if head is not None and not applied.added and not applied.lost:
            return Change(head)
        parents = () if head is None else (head,)
        commit = await self._publisher.serving.apart(lambda: self._commit(applied, parents, request))
        snapshot = placed(applied, commit.id)
        documents = await self._publisher.commit(bundle, repo, commit, snapshot, self._by.who)
        uploads = [*await self._files(repo, applied, snapshot, bundle), *documents]
        return Change(commit.id, references.with_branch(branch, commit.id), uploads, used)

    def _check_new(self, references: References) -> None:
        """A branch that is not there begins with this commit; a commit or a tag is none."""
        repo, name = self._address.repo, self._address.revision
        if name in references.tags or self._publisher.archive.is_commit(repo, name):
            text = f"{name[:80]!a} is no branch: a commit goes onto a branch"
            raise AddressError(Kind.CONFLICT, "RevisionNotFound", text)
        if not (is_name(name) or is_commit(name)):
            raise AddressError(Kind.INVALID, "BadRequest", f"no branch can be called {name[:80]!a}")

    def _check_parent(self, head: str | None) -> None:
        parent = self._header.parent
        if parent and not (len(parent) >= PARENT_DIGITS and (head or "").startswith(parent)):
            raise OutdatedError(f"the branch is at {head or 'nothing'}, not at {parent[:40]!a}: somebody has changed it since")

    async def _snapshot(self, repo: Id, commit: str) -> Snapshot:
        found = await self._publisher.archive.snapshot(repo, commit)
        if found is None:
            raise RegproxyError(Kind.STORAGE, "what is known of the last commit is lost")
        return found

    async def _sources(self, repo: Id) -> dict[str, Snapshot]:
        named = {each.revision for each in self._operations if isinstance(each, CopyFile) and each.revision}
        return {revision: (await self._publisher.archive.state(repo, revision)).snapshot for revision in sorted(named)}

    async def _resolved(self, bundle: Bundled) -> tuple[list[Applicable], list[str]]:
        """The lines, with entries for objects that were sent; and the places at which these lie until now."""
        found: list[Applicable] = []
        used: list[str] = []
        for each in self._operations:
            if isinstance(each, AddLfs):
                piece = await self._object(each, bundle)
                found.append(lfs_entry(each.path, piece.sha256, piece.size))
                used.append(object_place(self._address.repo, each.oid))
            elif not isinstance(each, AddFile):
                found.append(each)
        return found, used

    async def _object(self, line: AddLfs, bundle: Bundled) -> Piece:
        place, key = object_place(self._address.repo, line.oid), self._publisher.serving.tree.key
        piece = self._pieces.get(line.oid) or await bundle.link(
            (Digest("sha256", line.oid),),
            lambda node: (node.repository, node.path) == (key, place) or self._by.sees(node),
        )
        if piece is None:
            text = f"the bytes of {line.path[:200]!a} were not uploaded: {line.oid}"
            raise AddressError(Kind.INVALID, "LfsObjectMissing", text)
        if line.size not in (None, piece.size):
            text = f"{line.path[:200]!a} has {piece.size} bytes, and not {line.size}"
            raise AddressError(Kind.INVALID, "BadRequest", text)
        self._pieces[line.oid] = piece
        return piece

    def _commit(self, applied: Applied, parents: tuple[str, ...], request: str) -> Commit:
        tree = Snapshot(applied.files).folders[""] if applied.files else EMPTY_TREE
        return Commit(parents, tree, self._by.who, self._now, self._header.title, self._header.message, request)

    async def _files(self, repo: Id, applied: Applied, snapshot: Snapshot, bundle: Bundled) -> Uploads:
        """The nodes of the new files; of a copy the bytes are here, at the path that it is a copy of."""
        uploads = []
        for path in applied.added:
            entry = snapshot.files[path]
            piece = self._pieces.get(entry.sha256)
            if piece is None:
                piece = await bundle.link((Digest("sha256", entry.sha256),), self._by.sees)
            if piece is None:
                raise AddressError(Kind.NOT_FOUND, "EntryNotFound", f"the bytes of {path[:200]!a} are not there to be copied")
            self._pieces[entry.sha256] = piece
            place = file_place(repo, entry)
            uploads.append((Upload(place, by=self._by.who, may_replace=True, head=head_of(entry)), piece))
        return uploads

    def _shown(self, path: str) -> str:
        return shown_place(self._address.repo, self._address.revision, path)


class OutdatedError(RegproxyError):
    """The client has not seen the last commit."""

    def __init__(self, text: str) -> None:
        super().__init__(Kind.CONFLICT, text)
