"""Reads the documents of local repositories. They are named by their bytes, so what was read once is remembered by that name:
what the patterns of the repository close is not looked for there (``RegproxyError``, DENIED).

A document that is named and cannot be read is damage, and said so; one that is not there means that what it is about is not.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from attrs import define, field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import AddressError, Id, is_commit
from regproxy.formats.huggingface.failures import REPO, REVISION
from regproxy.formats.huggingface.local.history import Commit
from regproxy.formats.huggingface.local.places import commit_place, references_place, tree_place
from regproxy.formats.huggingface.local.references import References
from regproxy.formats.huggingface.local.snapshot import Snapshot
from regproxy.model.node import Node
from regproxy.model.want import DOCUMENT_LIMIT, Shape, Want
from regproxy.repo.interface import Body, Hosting, Serving

T = TypeVar("T")

FILES_REMEMBERED = 50_000
OTHERS_REMEMBERED = 2000


@define(eq=False)
class _Memory(Generic[T]):
    """What was read, least recently used first; the newest is kept whatever it weighs."""

    _most: int
    _weigh: Callable[[T], int]
    _kept: OrderedDict[str, tuple[T, int]] = field(factory=OrderedDict, init=False)
    _weight: int = field(default=0, init=False)

    def get(self, name: str) -> T | None:
        found = self._kept.get(name)
        if found is None:
            return None
        self._kept.move_to_end(name)
        return found[0]

    def add(self, name: str, value: T) -> None:
        if name in self._kept:
            return
        weight = self._weigh(value)
        self._kept[name] = (value, weight)
        self._weight += weight
        while self._weight > self._most and len(self._kept) > 1:
            self._weight -= self._kept.popitem(last=False)[1][1]


@frozen
class Read:
    """The branches and tags of a repository; ``sha256`` is the document's, whatever is made from it expects that."""

    references: References
    node: Node


@frozen
class State:
    """A repository at one revision.

    Attributes:
        commit: the commit that is meant.
        shown: its id for the client: what it has asked for, if that looks like one.
    """

    repo: Id
    commit: str
    shown: str
    snapshot: Snapshot


@define(eq=False)
class Archive:
    """The documents of one local repository."""

    _serving: Serving
    _repository: Hosting
    _references: _Memory[References] = field(factory=lambda: _Memory(OTHERS_REMEMBERED, lambda _: 1), init=False)
    _commits: _Memory[Commit] = field(factory=lambda: _Memory(OTHERS_REMEMBERED, lambda _: 1), init=False)
    _snapshots: _Memory[Snapshot] = field(
        factory=lambda: _Memory(FILES_REMEMBERED, lambda snapshot: len(snapshot.files) + 1), init=False
    )

    async def references(self, repo: Id) -> Read | None:
        """Branches and tags; None if there is no such repository."""
        node = self._node(references_place(repo))
        return None if node is None else Read(await self._read(node, self._references, References.of), node)

    async def known(self, repo: Id) -> Read:
        """The same, of one that there is."""
        found = await self.references(repo)
        if found is None:
            raise AddressError(Kind.NOT_FOUND, REPO, f"there is no {repo.type.value[:-1]} {repo} in {self._serving.tree.key}")
        return found

    async def commit(self, repo: Id, commit: str) -> Commit | None:
        """One commit."""
        node = self._node(commit_place(repo, commit))
        if node is None:
            return None
        return await self._read(node, self._commits, Commit.of)

    async def snapshot(self, repo: Id, commit: str) -> Snapshot | None:
        """Its files."""
        node = self._node(tree_place(repo, commit))
        if node is None:
            return None
        return await self._read(node, self._snapshots, Snapshot.of)

    def is_open(self, repo: Id) -> bool:
        """Whether the patterns let the repository be."""
        return self._repository.refusal(references_place(repo)) is None

    def is_commit(self, repo: Id, revision: str) -> bool:
        """Whether it is the id of a commit that is here."""
        return is_commit(revision) and self._serving.tree.node(tree_place(repo, revision)) is not None

    async def state(self, repo: Id, revision: str) -> State:
        """A repository at a revision, or without one at its default branch; ``AddressError`` if there is no such thing."""
        read = await self.known(repo)
        name = revision or read.references.default
        commit = name if self.is_commit(repo, name) else read.references.commit(name)
        snapshot = None if commit is None else await self.snapshot(repo, commit)
        if commit is None or snapshot is None:
            raise AddressError(Kind.NOT_FOUND, REVISION, f"Invalid rev id: {name[:80]!a}")
        return State(repo, commit, name if is_commit(name) else commit, snapshot)

    async def history(self, repo: Id, commit: str, most: int) -> Sequence[tuple[str, Commit]]:
        """Commits from one back to the first, as far as they are kept."""
        found: list[tuple[str, Commit]] = []
        at: str | None = commit
        while at is not None and len(found) < most:
            one = await self.commit(repo, at)
            if one is None:
                break
            found.append((at, one))
            at = one.parents[0] if one.parents else None
        return found

    def _node(self, place: str) -> Node | None:
        refused = self._repository.refusal(place)
        if refused is not None:
            raise RegproxyError(Kind.DENIED, refused.reason)
        return self._serving.tree.node(place)

    async def _read(self, node: Node, memory: _Memory[T], parse: Callable[[bytes], T]) -> T:
        known = memory.get(node.sha256)
        if known is not None:
            return known
        found = await self._repository.resolve(Want(node.path, Shape.DOCUMENT, body=False))
        if not isinstance(found, Body):
            raise RegproxyError(Kind.STORAGE, "what is known of this repository cannot be read", detail=f"{node.path}: {found}")
        try:
            value = await self._serving.parse(found, DOCUMENT_LIMIT, parse)
        except (ValueError, RecursionError) as error:
            text = "what is known of this repository cannot be read"
            raise RegproxyError(Kind.STORAGE, text, detail=f"{node.path}: {error!r}") from error
        memory.add(found.head.sha256 or node.sha256, value)
        return value
