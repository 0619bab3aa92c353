"""``Findings`` in the file of a ``SqliteIndex``: each search has a connection of its own until it is closed."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import apsw
from attrs import define, evolve

from regproxy.errors import Kind, RegproxyError
from regproxy.index.finding_sql import compiled
from regproxy.index.interface import Sum
from regproxy.index.sqlite import SqliteIndex
from regproxy.model.counts import Count
from regproxy.model.finding import Finding, Found

STEPS = 10_000
"""So many steps of SQLite's between two looks at the clock: about a millisecond."""

_PROPERTIES = "SELECT name, value FROM properties WHERE repository = ? AND path = ? ORDER BY name, value"
_COUNTS = """
SELECT repository, sum(files), sum(folders), sum(size) FROM (
    SELECT repository, count(*) AS files, 0 AS folders, sum(size) AS size FROM nodes GROUP BY repository
    UNION ALL SELECT repository, 0, count(*), 0 FROM folders GROUP BY repository
) GROUP BY repository ORDER BY repository
"""
_CHECKSUMS = "SELECT algorithm, value FROM aliases WHERE sha256 = ? AND algorithm IN ('sha1', 'md5')"


@define(eq=False)
class SqliteRows:
    """A search that is under way."""

    _finding: Finding
    _held: AbstractContextManager[apsw.Connection]
    _connection: apsw.Connection
    _cursor: Any

    def page(self, limit: int = 500) -> Sequence[Found]:
        """The next of them."""
        try:
            found = [Found(*row) for _, row in zip(range(limit), self._cursor, strict=False)]
            return [self._completed(each) for each in found]
        except apsw.InterruptError as error:
            raise too_slow() from error

    def _completed(self, found: Found) -> Found:
        if self._finding.with_properties:
            found = evolve(found, properties=tuple(self._ask(_PROPERTIES, (found.repository, found.path))))
        if self._finding.with_checksums and found.sha256:
            found = evolve(found, checksums=dict(self._ask(_CHECKSUMS, (found.sha256,))))
        return found

    def _ask(self, sql: str, bindings: tuple[str, ...]) -> list[Any]:
        return self._connection.execute(sql, bindings).fetchall()

    def close(self) -> None:
        """Give the connection up."""
        self._held.__exit__(None, None, None)


@define(eq=False)
class SqliteFindings:
    """The fifth view of an index that was started."""

    _index: SqliteIndex

    def counts(self) -> Sequence[Count]:
        """Count."""
        with self._index.scanning() as ask:
            return [Count(*row) for row in ask(_COUNTS, ())]

    def held(self) -> Sum:
        """Of the whole store."""
        return self._index.held()

    def find(self, finding: Finding, names: Mapping[str, str], seconds: float) -> SqliteRows:
        """Begin."""
        sql, bindings = compiled(finding, names)
        until = time.monotonic() + seconds
        held = self._index.connected()
        connection = held.__enter__()  # until ``close``
        try:
            connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
            cursor = connection.execute(sql, bindings)
        except apsw.InterruptError as error:
            held.__exit__(None, None, None)
            raise too_slow() from error
        except BaseException:
            held.__exit__(None, None, None)
            raise
        return SqliteRows(finding, held, connection, cursor)


def too_slow() -> RegproxyError:
    """What whoever asks too much is told."""
    return RegproxyError(Kind.TOO_SLOW, "the search takes too long: say more of what is looked for")
