"""``Declarations`` in the file of a ``SqliteIndex``, by its connections and its writer."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import apsw
import msgspec
from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.index.interface_declarations import Said
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.stamp import Stamp

T = TypeVar("T")

_STAMP = "SELECT stamp FROM repositories_changed"
_COUNT = "UPDATE repositories_changed SET stamp = stamp + 1"
_GET = "SELECT body FROM repositories WHERE key = ?"
_PUT = "INSERT INTO repositories (key, body) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body"
_CLEAR = "DELETE FROM nodes WHERE repository = ?1 AND path IN (SELECT path FROM nodes WHERE repository = ?1 LIMIT ?2)"
_REST = ("folders", "properties", "negatives", "distrusted", "occupied")


@define(eq=False)
class SqliteDeclarations:
    """The fourth view of an index that was started."""

    _index: SqliteIndex
    _stamp: Stamp = field(init=False)

    @_stamp.default
    def _make_stamp(self) -> Stamp:
        return Stamp(self._index, _STAMP)

    def stamp(self) -> int:
        """The row's number."""
        return self._stamp()

    def every(self) -> Mapping[str, Said]:
        """All."""
        rows = self._index.look("SELECT key, body FROM repositories WHERE body <> '' ORDER BY key", ())
        return {key: msgspec.json.decode(body, type=dict[str, object]) for key, body in rows}

    def leaving(self) -> Sequence[str]:
        """Those without a body."""
        return [key for (key,) in self._index.look("SELECT key FROM repositories WHERE body = '' ORDER BY key", ())]

    def put(self, key: str, said: Said, *, replace: bool) -> Deferred[bool]:
        """Keep one."""
        return self._change(partial(_put, key=key, body=msgspec.json.encode(said).decode(), replace=replace))

    def remove(self, key: str) -> Deferred[int | None]:
        """Begin to remove one."""
        return self._change(partial(_remove, key=key))

    def clear(self, key: str, limit: int = 1000) -> Deferred[int]:
        """Go on with it."""
        return self._index.change(partial(_clear, key=key, limit=limit), lambda hot: hot.drop_below(key, ""))

    def _change(self, apply: Callable[[apsw.Connection], T]) -> Deferred[T]:
        def counted(connection: apsw.Connection) -> T:
            connection.execute(_COUNT)
            return apply(connection)

        return self._index.change(counted, lambda _: self._stamp.outdate())


def _put(connection: apsw.Connection, key: str, body: str, *, replace: bool) -> bool:
    rows: list[Any] = connection.execute(_GET, (key,)).fetchall()
    if bool(rows) != replace or rows == [("",)]:
        return False
    connection.execute(_PUT, (key, body))
    return True


def _remove(connection: apsw.Connection, key: str) -> int | None:
    connection.execute("UPDATE repositories SET body = '' WHERE key = ? AND body <> ''", (key,))
    if not connection.changes():
        return None
    [(nodes,)] = connection.execute("SELECT count(*) FROM nodes WHERE repository = ?", (key,))
    return int(nodes)


def _clear(connection: apsw.Connection, key: str, limit: int) -> int:
    rows: list[Any] = connection.execute(_GET, (key,)).fetchall()
    if rows and rows != [("",)]:
        return 0
    connection.execute(_CLEAR, (key, limit))
    removed = connection.changes()
    if removed < limit:
        for table in _REST:
            connection.execute(f"DELETE FROM {table} WHERE repository = ?", (key,))  # noqa: S608 - our own names
        connection.execute("DELETE FROM repositories WHERE key = ?", (key,))
    return removed
