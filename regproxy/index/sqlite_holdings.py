"""``Holdings`` in the file of a ``SqliteIndex``, by its connections and its writer."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from regproxy.index import deposits
from regproxy.index.hot import HotNodes
from regproxy.index.rows import NODE_COLUMNS, behind_prefix, read_node
from regproxy.index.sqlite import SqliteIndex
from regproxy.model.deposit import Child, Deposit, Depositors, Downloads, Folder, Occupied, Properties, Step, Taking
from regproxy.model.digest import Digest
from regproxy.model.node import Node

_DEPOSITORS = "SELECT created_by, modified_by FROM deposits WHERE repository = ? AND path = ?"
_PROPERTIES = "SELECT name, value FROM properties WHERE repository = ? AND path = ? ORDER BY name, value"
_PROPERTIES_BELOW = """
SELECT path, name, value FROM properties WHERE repository = ? AND path > ? AND path < ? ORDER BY path, name, value
"""
_DIGESTS = "SELECT algorithm, value FROM aliases WHERE sha256 = ? ORDER BY algorithm, value"
_DOWNLOADS = "SELECT downloads, last_downloaded, last_downloaded_by FROM nodes WHERE repository = ? AND path = ?"
_OCCUPIED = "SELECT size, files, transient FROM occupied WHERE repository = ?"
_FOLDER = "SELECT path, created, modified, created_by FROM folders WHERE repository = ? AND path = ?"
_FOLDERS = """
SELECT path, created, modified, created_by FROM folders WHERE repository = ? AND path > ? AND path < ? ORDER BY path
"""
_NEXT_NODE = f"SELECT {NODE_COLUMNS} FROM nodes WHERE repository = ? AND path >= ? AND path < ? ORDER BY path LIMIT 1"  # noqa: S608 - our own list
_NEXT_FOLDER = "SELECT path FROM folders WHERE repository = ? AND path >= ? AND path < ? ORDER BY path LIMIT 1"

Ask = Callable[[str, tuple[Any, ...]], list[Any]]


@define(eq=False)
class SqliteHoldings:
    """The second view of an index that was started."""

    _index: SqliteIndex

    def deposit(self, deposit: Deposit) -> Deferred[bool]:
        """Put a node."""
        key = (deposit.node.repository, deposit.node.path)
        return self._index.change(partial(deposits.deposit, given=deposit), lambda hot: hot.drop(key))

    def take(self, taking: Taking) -> Deferred[bool]:
        """Put a node somewhere else."""
        here, there = (taking.node.repository, taking.node.path), (taking.repository, taking.path)

        def forget(hot: HotNodes) -> None:
            hot.drop(here)
            hot.drop(there)

        return self._index.change(partial(deposits.take, given=taking), forget)

    def prune(self, repository: str, path: str) -> Deferred[int]:
        """Remove empty folders."""
        return self._index.change(partial(deposits.prune, repository=repository, path=path))

    def make(self, repository: str, step: Step) -> Deferred[bool]:
        """Make several changes."""

        def forget(hot: HotNodes) -> None:
            for each in step.deposits:
                hot.drop((repository, each.node.path))
            for path in step.removed:
                if path.endswith("/"):
                    hot.drop_below(repository, path)
                else:
                    hot.drop((repository, path))

        return self._index.change(partial(deposits.make, repository=repository, step=step), forget)

    def make_folder(self, repository: str, path: str, when: float, by: str) -> Deferred[bool]:
        """Make a folder."""
        return self._index.change(partial(deposits.make_folder, repository=repository, path=path, when=when, by=by))

    def delete(self, repository: str, path: str, before: float = math.inf) -> Deferred[bool]:
        """Remove a node or a folder."""
        apply = partial(deposits.delete, repository=repository, path=path, before=before)
        if path.endswith("/"):
            return self._index.change(apply, lambda hot: hot.drop_below(repository, path))
        return self._index.change(apply, lambda hot: hot.drop((repository, path)))

    def depositors(self, repository: str, path: str) -> Depositors | None:
        """Who put a node."""
        rows = self._index.look(_DEPOSITORS, (repository, path))
        return Depositors(*rows[0]) if rows else None

    def folder(self, repository: str, path: str) -> Folder | None:
        """A folder."""
        with self._index.scanning() as ask:
            rows = ask(_FOLDER, (repository, path))
            if rows:
                return Folder(*rows[0])
            inside = ask(_NEXT_NODE, (repository, path, behind_prefix(path) or deposits.EVERYTHING))
        if not inside:
            return None if path else Folder("", 0.0, 0.0)
        node = read_node(inside[0])
        return Folder(path, node.created, node.modified)

    def children(self, repository: str, path: str, after: str = "", limit: int = 1000) -> Sequence[Child]:
        """What lies in a folder: a jump over each sub-folder, however much is in it."""
        found: list[Child] = []
        until = behind_prefix(path) or deposits.EVERYTHING
        since = path + (behind_prefix(after) or "" if after.endswith("/") else f"{after}\0")
        with self._index.scanning() as ask:
            while len(found) < limit:
                node, folder = _next(ask, (repository, since, until))
                if node is None and folder is None:
                    break
                first = min(each for each in (None if node is None else node.path, folder) if each is not None)
                name, slash, _ = first[len(path) :].partition("/")
                is_node = not slash and node is not None and node.path == first
                found.append(Child(name, node if is_node else None))
                since = path + (f"{name}\0" if is_node else behind_prefix(f"{name}/") or "")
        return found

    def folders(self, repository: str, path: str) -> Sequence[Folder]:
        """Folders below one."""
        with self._index.scanning() as ask:
            return [Folder(*row) for row in ask(_FOLDERS, (repository, path, behind_prefix(path) or deposits.EVERYTHING))]

    def properties(self, repository: str, path: str) -> Properties:
        """Of a node or folder."""
        found: dict[str, tuple[str, ...]] = {}
        for name, value in self._index.look(_PROPERTIES, (repository, path)):
            found[name] = (*found.get(name, ()), value)
        return found

    def properties_below(self, repository: str, path: str) -> Mapping[str, Properties]:
        """Of all below a folder."""
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        with self._index.scanning() as ask:
            for below, name, value in ask(_PROPERTIES_BELOW, (repository, path, behind_prefix(path) or deposits.EVERYTHING)):
                given = found.setdefault(below, {})
                given[name] = (*given.get(name, ()), value)
        return found

    def annotate(self, repository: str, path: str, properties: Properties, *, below: bool) -> Deferred[None]:
        """Set properties."""
        apply = partial(deposits.annotate, repository=repository, path=path, properties=properties, below=below)
        return self._index.change(apply)

    def digests(self, sha256: str) -> Sequence[Digest]:
        """What else is known of a blob."""
        return [Digest(*row) for row in self._index.look(_DIGESTS, (sha256,))]

    def annotated(self, properties: Properties, repositories: Sequence[str], limit: int = 1000) -> Sequence[tuple[str, str]]:
        """Where properties are."""
        wanted = [(name, value) for name, values in properties.items() for value in values]
        places = ", ".join("?" * len(repositories))
        one = f"SELECT repository, path FROM properties WHERE name = ? AND (? = '*' OR value = ?) AND repository IN ({places})"  # noqa: S608 - question marks
        sql = " INTERSECT ".join([one] * len(wanted)) + " ORDER BY repository, path LIMIT ?"
        bindings = [item for name, value in wanted for item in (name, value, value, *repositories)]
        with self._index.scanning() as ask:
            return [(row[0], row[1]) for row in ask(sql, (*bindings, limit))] if wanted and repositories else []

    def downloads(self, repository: str, path: str) -> Downloads:
        """Downloads of a node."""
        rows = self._index.look(_DOWNLOADS, (repository, path))
        return Downloads(*rows[0]) if rows else Downloads(0, None)

    def occupied(self, repository: str) -> Occupied:
        """What clients have put into a repository."""
        rows = self._index.look(_OCCUPIED, (repository,))
        return Occupied(*rows[0]) if rows else Occupied()


def _next(ask: Ask, bounds: tuple[Any, ...]) -> tuple[Node | None, str | None]:
    nodes, folders = ask(_NEXT_NODE, bounds), ask(_NEXT_FOLDER, bounds)
    return (read_node(nodes[0]) if nodes else None), (str(folders[0][0]) if folders else None)
