"""An index in dicts: the twin of ``sqlite`` for tests and for trying things out. Every change is done when it is asked for."""

from collections.abc import Collection, Iterator, Sequence

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed

from regproxy.index.interface import BlobRow, Sum, Use
from regproxy.index.rows import kept_form, last_touched
from regproxy.model.digest import Digest
from regproxy.model.node import Negative, Node

Key = tuple[str, str]


@define(eq=False)
class MemoryIndex:
    """An ``Index`` that lasts as long as the object; it may be started again after it was closed."""

    was_clean: bool = field(init=False, default=False)
    _closed: bool = field(init=False, default=True)
    _nodes: dict[Key, Node] = field(init=False, factory=dict)
    _blobs: dict[str, BlobRow] = field(init=False, factory=dict)
    _used: dict[Key, float] = field(init=False, factory=dict)
    _pins: set[Key] = field(init=False, factory=set)
    _aliases: dict[Digest, str] = field(init=False, factory=dict)
    _negatives: dict[Key, Negative] = field(init=False, factory=dict)
    _distrusted: dict[Key, float] = field(init=False, factory=dict)
    _words: dict[str, str] = field(init=False, factory=dict)

    def start(self) -> None:
        """Note that a run has begun."""
        self.was_clean, self._closed = self._closed, False

    def close(self) -> Deferred[None]:
        """Note that it has ended."""
        self._closed = True
        return succeed(None)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever put into it."""
        return not self._blobs

    def node(self, repository: str, path: str) -> Node | None:
        """One node."""
        return self._nodes.get((repository, path))

    def nodes(self, repository: str, prefix: str = "", after: str = "", limit: int = 1000) -> Sequence[Node]:
        """A page of nodes."""
        paths = sorted(path for owner, path in self._nodes if owner == repository and path.startswith(prefix) and path > after)
        return [self._nodes[repository, path] for path in paths[:limit]]

    def blob(self, sha256: str) -> BlobRow | None:
        """One blob."""
        return self._blobs.get(sha256)

    def blob_of(self, digest: Digest) -> str | None:
        """The blob's name; for a sha256, whether there is such a blob."""
        if digest.algorithm == "sha256":
            return digest.hex if digest.hex in self._blobs else None
        return self._aliases.get(digest)

    def negative(self, repository: str, path: str) -> Negative | None:
        """A negative answer."""
        return self._negatives.get((repository, path))

    def distrusted(self, repository: str, path: str) -> float:
        """Until when a path is not trusted."""
        return self._distrusted.get((repository, path), 0.0)

    def word(self, name: str) -> str | None:
        """A remembered word."""
        return self._words.get(name)

    def put(self, node: Node, *, synced: bool, digests: Sequence[Digest] = ()) -> Deferred[None]:
        """Add or replace a node."""
        key = (node.repository, node.path)
        blob, held = self._blobs.get(node.sha256), self._nodes.get(key)
        last_used = max(last_touched(node), blob.last_used) if blob else last_touched(node)
        self._blobs[node.sha256] = BlobRow(node.sha256, node.size, synced, last_used)
        self._nodes[key] = kept_form(evolve(node, created=held.created) if held else node)
        self._touch(key, last_touched(node))
        self._aliases.update({digest: node.sha256 for digest in digests if digest.algorithm != "sha256"})
        self._negatives.pop(key, None)
        return succeed(None)

    def refresh(self, node: Node) -> Deferred[None]:
        """Replace what is known about a node."""
        key = (node.repository, node.path)
        held = self._nodes.get(key)
        if held is not None and held.sha256 == node.sha256:
            self._nodes[key] = kept_form(evolve(node, size=held.size, created=held.created))
            self._touch(key, node.checked)
        return succeed(None)

    def used(self, repository: str, path: str, sha256: str, when: float) -> None:
        """Note when the blob was used."""
        self._touch((repository, path), when)
        blob = self._blobs.get(sha256)
        if blob is not None:
            self._blobs[sha256] = evolve(blob, last_used=max(blob.last_used, when))

    def downloaded(self, repository: str, path: str, when: float, by: str) -> None:
        """Nobody asks for the number here."""

    def remove(self, repository: str, path: str) -> Deferred[bool]:
        """Remove a node."""
        return succeed(self._drop((repository, path)))

    def deny(self, negative: Negative) -> Deferred[None]:
        """Remember a negative answer."""
        self._negatives[negative.repository, negative.path] = negative
        return succeed(None)

    def distrust(self, repository: str, path: str, now: float, until: float) -> Deferred[None]:
        """Remember that wrong bytes came."""
        self._distrusted = {key: time for key, time in self._distrusted.items() if time > now}
        self._distrusted[repository, path] = until
        return succeed(None)

    def synced(self, sha256: str) -> Deferred[None]:
        """Note that a blob is durable."""
        blob = self._blobs.get(sha256)
        if blob is not None:
            self._blobs[sha256] = evolve(blob, synced=True)
        return succeed(None)

    def unsynced(self) -> Sequence[str]:
        """Blobs that are not known to be durable."""
        return sorted(blob.sha256 for blob in self._blobs.values() if not blob.synced)

    def unreferenced(self, limit: int = 1000) -> Sequence[BlobRow]:
        """Blobs that no node names, least recently used first."""
        named = {node.sha256 for node in self._nodes.values()}
        unnamed = (blob for blob in self._blobs.values() if blob.sha256 not in named)
        return sorted(unnamed, key=lambda blob: (blob.last_used, blob.sha256))[:limit]

    def forget(self, sha256: str) -> Deferred[bool]:
        """Remove a blob's row and aliases; True also if there was no row."""
        if any(node.sha256 == sha256 for node in self._nodes.values()):
            return succeed(False)  # noqa: FBT003 - the result
        self._blobs.pop(sha256, None)
        self._aliases = {digest: name for digest, name in self._aliases.items() if name != sha256}
        return succeed(True)  # noqa: FBT003 - the result

    def adopt(self, blobs: Sequence[BlobRow]) -> Deferred[int]:
        """Add rows for blobs that nothing names."""
        before = len(self._blobs)
        self._blobs = {blob.sha256: blob for blob in blobs} | self._blobs
        return succeed(len(self._blobs) - before)

    def held(self, repository: str = "") -> Sum:
        """Count."""
        if not repository:
            return Sum(len(self._blobs), sum(row.size for row in self._blobs.values()))
        sizes = {node.sha256: node.size for (owner, _), node in self._nodes.items() if owner == repository}
        return Sum(len(sizes), sum(sizes.values()))

    def least_used(self, kept: Collection[str], limit: int = 100) -> Sequence[BlobRow]:
        """Blobs that may be evicted."""
        stay = {node.sha256 for key, node in self._nodes.items() if not self._may_go(key) or node.repository in kept}
        rows = (row for row in self._blobs.values() if row.sha256 not in stay)
        return sorted(rows, key=lambda row: (row.last_used, row.sha256))[:limit]

    def least_used_in(self, repository: str, before: float, limit: int = 100) -> Sequence[Use]:
        """Nodes that may be evicted."""
        uses = (
            Use(*key, node.sha256, node.size, self._used[key])
            for key, node in self._nodes.items()
            if node.repository == repository and self._used[key] < before and self._may_go(key)
        )
        return sorted(uses, key=lambda use: (use.last_used, use.path))[:limit]

    def evict(self, seen: BlobRow, kept: Collection[str]) -> Deferred[bool]:
        """Remove a blob's row with all its nodes."""
        blob = self._blobs.get(seen.sha256)
        nodes = [key for key, node in self._nodes.items() if node.sha256 == seen.sha256]
        stays = any(not self._may_go(key) or key[0] in kept for key in nodes)
        if blob is None or blob.last_used > seen.last_used or stays:
            return succeed(False)  # noqa: FBT003 - the result
        for key in nodes:
            self._drop(key)
        return self.forget(seen.sha256)

    def release(self, seen: Use) -> Deferred[bool]:
        """Remove a node."""
        key = (seen.repository, seen.path)
        node = self._nodes.get(key)
        if node is None or node.sha256 != seen.sha256 or self._used[key] > seen.last_used or not self._may_go(key):
            return succeed(False)  # noqa: FBT003 - the result
        return self.remove(*key)

    def pin(self, repository: str, path: str, *, pinned: bool) -> Deferred[int]:
        """Keep from being evicted, or not."""
        below = path.endswith("/") or not path
        found = {key for key in self._nodes if key[0] == repository and (key[1].startswith(path) if below else key[1] == path)}
        self._pins = self._pins | found if pinned else self._pins - found
        return succeed(len(found))

    def pins(self, repository: str, prefix: str = "") -> Sequence[str]:
        """Paths that are pinned."""
        return sorted(path for owner, path in self._pins if owner == repository and path.startswith(prefix))

    def _may_go(self, key: Key) -> bool:
        return key not in self._pins and bool(self._nodes[key].origin)

    def _drop(self, key: Key) -> bool:
        self._used.pop(key, None)
        self._pins.discard(key)
        return self._nodes.pop(key, None) is not None

    def _touch(self, key: Key, when: float) -> None:
        if key in self._nodes:
            self._used[key] = max(self._used.get(key, when), when)

    def each_blob(self, after: str = "") -> Iterator[BlobRow]:
        """Every blob's row, as they are now."""
        return iter(sorted((row for row in self._blobs.values() if row.sha256 > after), key=lambda blob: blob.sha256))

    def nodes_of(self, sha256: str) -> Sequence[Node]:
        """Every node that names a blob."""
        return [self._nodes[key] for key in sorted(self._nodes) if self._nodes[key].sha256 == sha256]

    def complaints(self) -> Sequence[str]:
        """None: dicts do not rot."""
        return []

    def remember(self, name: str, word: str) -> Deferred[None]:
        """Keep a word."""
        self._words[name] = word
        return succeed(None)
