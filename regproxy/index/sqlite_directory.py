"""``Directory`` in the file of a ``SqliteIndex``, by its connections and its writer."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import apsw
import msgspec
from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from regproxy.index.interface_directory import Ledger
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


class _Reading:
    """By whatever runs a statement."""

    def _ask(self, sql: str, bindings: tuple[Any, ...]) -> list[Any]:
        raise NotImplementedError

    def get(self, kind: type[E], name: str) -> E | None:
        """One entry."""
        rows = self._ask(_GET, (_KINDS[kind], name))
        return msgspec.json.decode(rows[0][0], type=kind) if rows else None

    def every(self, kind: type[E]) -> Sequence[E]:
        """All of a kind."""
        return [msgspec.json.decode(row[0], type=kind) for row in self._ask(_EVERY, (_KINDS[kind],))]

    def token(self, identifier: str) -> TokenRow | None:
        """One token."""
        return self._token("SELECT body FROM tokens WHERE id = ?", identifier)

    def token_of(self, reference: str) -> TokenRow | None:
        """By its short form."""
        return self._token("SELECT body FROM tokens WHERE reference = ? AND reference <> ''", reference)

    def tokens(self, beginning: str = "") -> Sequence[TokenRow]:
        """All, or some."""
        rows = self._ask("SELECT body FROM tokens WHERE id >= ? AND id < ?", (beginning, beginning + _LAST))
        found = [msgspec.json.decode(row[0], type=TokenRow) for row in rows]
        return sorted(found, key=lambda token: (token.issued, token.id))

    def has_tokens(self) -> bool:
        """Whether there is one."""
        return bool(self._ask("SELECT 1 FROM tokens LIMIT 1", ()))

    def _token(self, sql: str, wanted: str) -> TokenRow | None:
        rows = self._ask(sql, (wanted,))
        return msgspec.json.decode(rows[0][0], type=TokenRow) if rows else None


@define(eq=False)
class SqliteDirectory(_Reading):
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

    def change(self, work: Callable[[Ledger], T]) -> Deferred[T]:
        """Count it in the same transaction, if anything is written, and tell the other processes of it."""

        def counted(connection: apsw.Connection) -> T:
            before = connection.total_changes()
            result = work(_Writing(connection))
            if connection.total_changes() != before:
                connection.execute(_COUNT)
            return result

        return self._index.change(counted, lambda _: self._stamp.outdate())

    def _ask(self, sql: str, bindings: tuple[Any, ...]) -> list[Any]:
        return self._index.look(sql, bindings)


@frozen(eq=False)
class _Writing(_Reading):
    """In the writer's thread, in its transaction."""

    _connection: apsw.Connection

    def put(self, entry: Entry, *, replace: bool = True) -> bool:
        """Keep an entry."""
        kind = _KINDS[type(entry)]
        is_new = not self._ask(_GET, (kind, entry.name))
        if is_new or replace:
            self._connection.execute(_PUT, (kind, entry.name, msgspec.json.encode(entry).decode()))
        return is_new

    def remove(self, kind: type[Entry], name: str) -> bool:
        """Forget an entry."""
        self._connection.execute(_REMOVE, (_KINDS[kind], name))
        if not self._connection.changes():
            return False
        every: list[Entry] = [*self.every(User), *self.every(Target)]
        for entry in every:
            changed = without(entry, kind, name)
            if changed is not entry:
                self.put(changed)
        if kind is User:
            self._connection.execute("DELETE FROM tokens WHERE subject = ?", (name,))
        return True

    def add(self, token: TokenRow, now: float) -> None:
        """Keep a token."""
        self._connection.execute("DELETE FROM tokens WHERE expires <= ?", (now,))
        said, until = msgspec.json.encode(token).decode(), token.kept or token.expires
        self._connection.execute(_ADD, (token.id, token.subject, token.reference, until, said))

    def revoke(self, identifier: str) -> bool:
        """Forget a token."""
        self._connection.execute("DELETE FROM tokens WHERE id = ?", (identifier,))
        return self._connection.changes() > 0

    def _ask(self, sql: str, bindings: tuple[Any, ...]) -> list[Any]:
        return self._connection.execute(sql, bindings).fetchall()
