"""``Outbox`` in the file of a ``SqliteIndex``, by its connections and its writer."""

import json
from collections.abc import Sequence
from typing import Any

import apsw
from attrs import define
from twisted.internet.defer import Deferred

from regproxy.index.interface_outbox import Letter
from regproxy.index.sqlite import SqliteIndex

_FIRST = "SELECT target, name, created, body, id FROM outbox WHERE target = ? ORDER BY id LIMIT ?"
_COUNT = "SELECT count(*) FROM outbox WHERE target = ?"
_PUT = "INSERT INTO outbox (target, name, created, body) VALUES (?, ?, ?, ?)"
_FORGET = "DELETE FROM outbox WHERE target NOT IN (SELECT value FROM json_each(?))"


@define(eq=False)
class SqliteOutbox:
    """A further view of an index that was started."""

    _index: SqliteIndex

    def put(self, letters: Sequence[Letter], most: int) -> Deferred[int]:
        """Queue some."""

        def apply(connection: apsw.Connection) -> int:
            room = {target: most - int(_ask(connection, target)) for target in {letter.target for letter in letters}}
            lost = 0
            for letter in letters:
                if room[letter.target] <= 0:
                    lost += 1
                    continue
                room[letter.target] -= 1
                connection.execute(_PUT, (letter.target, letter.name, letter.created, letter.body))
            return lost

        return self._index.change(apply)

    def first(self, target: str, limit: int) -> Sequence[Letter]:
        """The oldest."""
        return [Letter(*row) for row in self._index.look(_FIRST, (target, limit))]

    def waiting(self, target: str) -> int:
        """Count."""
        return int(self._index.look(_COUNT, (target,))[0][0])

    def drop(self, letter: Letter) -> Deferred[None]:
        """Forget one."""

        def apply(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM outbox WHERE id = ?", (letter.id,))

        return self._index.change(apply, durable=False)  # a power loss costs a second delivery

    def forget(self, targets: Sequence[str]) -> Deferred[int]:
        """Forget those of others."""

        def apply(connection: apsw.Connection) -> int:
            connection.execute(_FORGET, (json.dumps(list(targets)),))
            return connection.changes()

        return self._index.change(apply, durable=False)


def _ask(connection: apsw.Connection, target: str) -> int:
    rows: list[Any] = connection.execute(_COUNT, (target,)).fetchall()
    return int(rows[0][0])
