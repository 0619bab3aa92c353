"""Repositories, branches and tags: made, moved and removed. Each is one step (``publishing.py``)."""

from collections.abc import Awaitable, Callable

from attrs import frozen

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import AddressError, Id
from regproxy.formats.huggingface.failures import REVISION
from regproxy.formats.huggingface.local.archive import Read
from regproxy.formats.huggingface.local.calls import Branch, Squash, Tag
from regproxy.formats.huggingface.local.committing import Committer
from regproxy.formats.huggingface.local.git import EMPTY_TREE
from regproxy.formats.huggingface.local.history import Commit
from regproxy.formats.huggingface.local.places import reference_place, references_place
from regproxy.formats.huggingface.local.publishing import Change, Publisher
from regproxy.formats.huggingface.local.references import MAIN, References, is_name
from regproxy.formats.huggingface.local.snapshot import Snapshot
from regproxy.formats.huggingface.names import folder_of
from regproxy.model.access import Action
from regproxy.repo.interface_bundle import Bundled

MOST_COMMITS = 100_000


class ExistsError(AddressError):
    """There is such a thing already."""

    def __init__(self, text: str) -> None:
        super().__init__(Kind.CONFLICT, "Conflict", text)


@frozen
class Changing:
    """Changes one local repository, for one who asks."""

    _publisher: Publisher
    _by: Committer
    _now: int

    async def create(self, repo: Id) -> None:
        """A repository with one commit and no files."""
        self._by.permit(Action.WRITE, references_place(repo))

        async def make(read: Read | None, bundle: Bundled) -> Change:
            if read is not None:
                raise ExistsError(f"{repo} is there already")
            commit = Commit((), EMPTY_TREE, self._by.who, self._now, "initial commit")
            uploads = await self._publisher.commit(bundle, repo, commit, Snapshot(), self._by.who)
            return Change(commit.id, References({MAIN: commit.id}), uploads)

        await self._change(repo, make)

    async def add_branch(self, branch: Branch, start: str) -> None:
        """A branch; without a start, at the default branch."""
        self._by.permit(Action.WRITE, reference_place(branch.repo, branch.name))
        _check_name(branch.name)

        async def make(read: Read | None, _: Bundled) -> Change:
            references = _there(read, branch.repo)
            if branch.name in references.branches:
                raise ExistsError(f"there is a branch {branch.name!a} already")
            state = await self._publisher.archive.state(branch.repo, start)
            return Change(state.commit, references.with_branch(branch.name, state.commit))

        await self._change(branch.repo, make)

    async def remove_branch(self, branch: Branch) -> None:
        """A branch goes; its commits stay."""
        self._by.permit(Action.DELETE, reference_place(branch.repo, branch.name))

        async def make(read: Read | None, _: Bundled) -> Change:
            references = _there(read, branch.repo)
            if branch.name not in references.branches:
                raise AddressError(Kind.NOT_FOUND, REVISION, f"there is no branch {branch.name!a}")
            if branch.name == references.default:
                raise AddressError(Kind.DENIED, "Forbidden", f"{branch.name!a} is the default branch: it cannot be deleted")
            return Change("", references.with_branch(branch.name, None))

        await self._change(branch.repo, make)

    async def add_tag(self, at: Tag, name: str) -> None:
        """A tag of the revision ``at`` names."""
        self._by.permit(Action.WRITE, reference_place(at.repo, name))
        _check_name(name)

        async def make(read: Read | None, _: Bundled) -> Change:
            references = _there(read, at.repo)
            if name in references.tags:
                raise ExistsError(f"there is a tag {name!a} already")
            state = await self._publisher.archive.state(at.repo, at.name)
            return Change(state.commit, references.with_tag(name, state.commit))

        await self._change(at.repo, make)

    async def remove_tag(self, tag: Tag) -> None:
        """A tag goes."""
        self._by.permit(Action.DELETE, reference_place(tag.repo, tag.name))

        async def make(read: Read | None, _: Bundled) -> Change:
            references = _there(read, tag.repo)
            if tag.name not in references.tags:
                raise AddressError(Kind.NOT_FOUND, REVISION, f"there is no tag {tag.name!a}")
            return Change("", references.with_tag(tag.name, None))

        await self._change(tag.repo, make)

    async def squash(self, at: Squash, title: str) -> None:
        """One commit in place of a branch's history; what nothing else leads to goes with it."""
        repo = at.repo
        self._by.permit(Action.DELETE, reference_place(repo, at.branch))
        self._by.permit(Action.WRITE, reference_place(repo, at.branch))

        async def make(read: Read | None, bundle: Bundled) -> Change:
            references = _there(read, repo)
            head = references.branches.get(at.branch)
            if head is None:
                raise AddressError(Kind.NOT_FOUND, REVISION, f"there is no branch {at.branch!a}")
            snapshot = (await self._publisher.archive.state(repo, head)).snapshot
            commit = Commit((), snapshot.folders[""], self._by.who, self._now, title or f"Super-squash branch '{at.branch}'")
            uploads = await self._publisher.commit(bundle, repo, commit, snapshot, self._by.who)
            after = references.with_branch(at.branch, commit.id)
            gone = await self._unreachable(repo, after, commit.id, snapshot)
            for path in gone:
                self._by.permit(Action.DELETE, path)
            return Change(commit.id, after, uploads, gone)

        await self._change(repo, make)

    async def _unreachable(self, repo: Id, references: References, new: str, snapshot: Snapshot) -> list[str]:
        """Nodes that no branch and no tag leads to any more."""
        kept = {new}
        files = {(entry.at, entry.path) for entry in snapshot}
        for head in {*references.branches.values(), *references.tags.values()} - kept:
            for name, _ in await self._publisher.archive.history(repo, head, MOST_COMMITS):
                if name not in kept:
                    kept.add(name)
                    found = await self._publisher.archive.snapshot(repo, name)
                    files |= set() if found is None else {(entry.at, entry.path) for entry in found}
        folder, gone = f"{folder_of(repo)}/", []
        async for page in self._publisher.serving.tree.below(folder):
            for node in page:
                first, _, rest = node.path[len(folder) :].partition("/")
                documents = first in ("_commits", "_trees") and rest.removesuffix(".json") not in kept
                if documents or (not first.startswith("_") and (first, rest) not in files):
                    gone.append(node.path)
        return gone

    async def _change(self, repo: Id, make: Callable[[Read | None, Bundled], Awaitable[Change]]) -> None:
        bundle = self._publisher.repository.bundle()
        try:
            await self._publisher.change(repo, self._by.who, bundle, lambda read: make(read, bundle))
        finally:
            await bundle.close()


def _there(read: Read | None, repo: Id) -> References:
    if read is None:
        raise AddressError(Kind.NOT_FOUND, "RepoNotFound", f"there is no {repo.type.value[:-1]} {repo} here")
    return read.references


def _check_name(name: str) -> None:
    if not is_name(name):
        raise AddressError(Kind.INVALID, "BadRequest", f"no branch and no tag can be called {name[:80]!a}")
