"""``Directory`` in the file of a ``SqliteIndex``, by its connections and its writer."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import apsw
import msgspec
from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.index.sqlite import SqliteIndex
from regproxy.index.stamp import Stamp
from regproxy.model.principals import E, Entry, Group, Target, TokenRow, User, without

T = TypeVar("T")

_KINDS: dict[type, str] = {User: "user", Group: "group", Target: "target"}
_GET = "SELECT body FROM principals WHERE kind = ? AND name = ?"
_EVERY = "SELECT body FROM principals WHERE kind = ? ORDER BY name"
_PUT = "INSERT INTO principals (kind, name, body) VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body"
_REMOVE = "DELETE FROM principals WHERE kind = ? AND name = ?"
_LAST = "\U0010ffff"
_ADD = "INSERT INTO tokens (id, subject, reference, expires, body) VALUES (?, ?, ?, ?, ?)"
_COUNT = "UPDATE access SET stamp = stamp + 1"


@define(eq=False)
class SqliteDirectory:
    """The third view of an index that was started."""

    _index: SqliteIndex
    _stamp: Stamp = field(init=False)

    @_stamp.default
    def _make_stamp(self) -> Stamp:
        return Stamp(self._index, "SELECT stamp FROM access")

    def stamp(self) -> int:
        """The row's number."""
        return self._stamp()

    def key(self) -> bytes:
        """The key."""
        return bytes(self._index.look("SELECT signing_key FROM access", ())[0][0])

    def get(self, kind: type[E], name: str) -> E | None:
        """One entry."""
        rows = self._index.look(_GET, (_KINDS[kind], name))
        return msgspec.json.decode(rows[0][0], type=kind) if rows else None

    def every(self, kind: type[E]) -> Sequence[E]:
        """All of a kind."""
        return [msgspec.json.decode(row[0], type=kind) for row in self._index.look(_EVERY, (_KINDS[kind],))]

    def put(self, entry: Entry, *, replace: bool = True) -> Deferred[bool]:
        """Keep an entry."""
        return self._change(partial(_put, entry=entry, replace=replace))

    def remove(self, kind: type[Entry], name: str) -> Deferred[bool]:
        """Forget an entry."""
        return self._change(partial(_remove, kind=kind, name=name))

    def token(self, identifier: str) -> TokenRow | None:
        """One token."""
        return self._token("SELECT body FROM tokens WHERE id = ?", identifier)

    def token_of(self, reference: str) -> TokenRow | None:
        """By its short form."""
        return self._token("SELECT body FROM tokens WHERE reference = ? AND reference <> ''", reference)

    def tokens(self, beginning: str = "") -> Sequence[TokenRow]:
        """All, or some."""
        rows = self._index.look("SELECT body FROM tokens WHERE id >= ? AND id < ?", (beginning, beginning + _LAST))
        found = [msgspec.json.decode(row[0], type=TokenRow) for row in rows]
        return sorted(found, key=lambda token: (token.issued, token.id))

    def add(self, token: TokenRow, now: float) -> Deferred[None]:
        """Keep a token."""
        return self._change(partial(_add, token=token, now=now))

    def revoke(self, identifier: str) -> Deferred[bool]:
        """Forget a token."""
        return self._change(partial(_revoke, identifier=identifier))

    def _token(self, sql: str, wanted: str) -> TokenRow | None:
        rows = self._index.look(sql, (wanted,))
        return msgspec.json.decode(rows[0][0], type=TokenRow) if rows else None

    def _change(self, apply: Callable[[apsw.Connection], T]) -> Deferred[T]:
        """Count it in the same transaction, and tell the other processes of it."""

        def counted(connection: apsw.Connection) -> T:
            connection.execute(_COUNT)
            return apply(connection)

        return self._index.change(counted, lambda _: self._stamp.outdate())


def _put(connection: apsw.Connection, entry: Entry, *, replace: bool) -> bool:
    kind = _KINDS[type(entry)]
    is_new = not connection.execute(_GET, (kind, entry.name)).fetchall()
    if is_new or replace:
        connection.execute(_PUT, (kind, entry.name, msgspec.json.encode(entry).decode()))
    return is_new


def _remove(connection: apsw.Connection, kind: type[Entry], name: str) -> bool:
    connection.execute(_REMOVE, (_KINDS[kind], name))
    if not connection.changes():
        return False
    for other, written in _KINDS.items():
        rows: list[Any] = connection.execute(_EVERY, (written,)).fetchall()
        for row in rows:
            entry: Entry = msgspec.json.decode(row[0], type=other)
            changed = without(entry, kind, name)
            if changed is not entry:
                _put(connection, changed, replace=True)
    if kind is User:
        connection.execute("DELETE FROM tokens WHERE subject = ?", (name,))
    return True


def _add(connection: apsw.Connection, token: TokenRow, now: float) -> None:
    connection.execute("DELETE FROM tokens WHERE expires <= ?", (now,))
    connection.execute(
        _ADD, (token.id, token.subject, token.reference, token.kept or token.expires, msgspec.json.encode(token).decode())
    )


def _revoke(connection: apsw.Connection, identifier: str) -> bool:
    connection.execute("DELETE FROM tokens WHERE id = ?", (identifier,))
    return connection.changes() > 0
