"""Opens SQLite files as the index wants them, and brings their schema up to this program's.

The numbered files of ``schema/`` are applied in order, each with its row in ``schema_version`` as one transaction. A file
that a newer program has written, or whose history is not ours, is refused untouched.
"""

import hashlib
import os
import re
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
from attrs import frozen

from regproxy.errors import Kind, RegproxyError

# Older ones may lose commits when two connections checkpoint at once (sqlite.org/wal.html#walresetbug).
OLDEST_SQLITE = (3, 51, 3)

# What can be derived again: sizes that stand in two tables, and the sums over deposits.
_CONTRADICTIONS = """
WITH summed AS (
    SELECT repository, sum(size * (NOT transient)) AS size, sum(NOT transient) AS files, sum(size * transient) AS transient
    FROM nodes JOIN deposits USING (repository, path) GROUP BY repository
), kept AS (
    SELECT repository, size, files, transient FROM occupied WHERE files <> 0 OR size <> 0 OR transient <> 0
)
SELECT 'node ' || nodes.repository || ':' || nodes.path || ' has another size than its blob'
    FROM nodes JOIN blobs USING (sha256) WHERE nodes.size <> blobs.size
UNION ALL SELECT 'what ' || repository || ' occupies is counted wrongly' FROM (
    SELECT * FROM (SELECT * FROM kept EXCEPT SELECT * FROM summed)
    UNION SELECT * FROM (SELECT * FROM summed EXCEPT SELECT * FROM kept)
)
"""

_NAME = re.compile(r"([0-9]{4})_\w+\.sql")
_VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_version (
    version INTEGER NOT NULL PRIMARY KEY, applied_at REAL NOT NULL, checksum TEXT NOT NULL
) STRICT
"""


@frozen(order=True)
class Step:
    """One numbered file of SQL."""

    version: int
    sql: str

    @property
    def checksum(self) -> str:
        """Says that a file that was applied is the one that we have."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def steps() -> list[Step]:
    """Read the files, in order."""
    found = []
    for file in resources.files("regproxy.index.schema").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            found.append(Step(int(match[1]), file.read_text(encoding="utf-8")))
    return sorted(found)


def newest() -> int:
    """The schema of this program."""
    return max(step.version for step in steps())


# A writer waits in its own thread, as long as another process's largest batch may take.
BUSY_MILLIS = 30_000


def connect(path: Path, busy_millis: int = BUSY_MILLIS) -> apsw.Connection:
    """Open a connection with our settings; the file, if there is none, is made for our user alone."""
    version = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < OLDEST_SQLITE:
        raise RegproxyError(Kind.STORAGE, f"SQLite {version} is too old for the index: {_dotted(OLDEST_SQLITE)} is needed")
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(busy_millis)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "cache_size = -20000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("PRAGMA mmap_size = 268435456").fetchall()
    return connection


def upgrade(connection: apsw.Connection, now: float) -> bool:
    """Apply what is missing; True if that is everything.

    Raises ``RegproxyError`` for a schema that is newer than this program, or not ours.
    """
    connection.execute("BEGIN EXCLUSIVE")
    try:
        connection.execute(_VERSIONS)
        applied = known_steps(connection)
        for step in steps():
            if step.version not in applied:
                connection.execute(step.sql)
                connection.execute("INSERT INTO schema_version VALUES (?, ?, ?)", (step.version, now, step.checksum))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return not applied


def known_steps(connection: apsw.Connection) -> set[int]:
    """The steps that were applied to a file; ``RegproxyError`` as for ``upgrade``."""
    known = {step.version: step.checksum for step in steps()}
    applied: dict[int, str] = dict(_pairs(connection.execute("SELECT version, checksum FROM schema_version")))
    if max(applied, default=0) > max(known):
        text = f"the index has schema {max(applied)}, which is newer than this program's {max(known)}: run a newer regproxy"
        raise RegproxyError(Kind.STORAGE, text)
    for version, checksum in known.items():
        if applied.get(version, checksum) != checksum:
            raise RegproxyError(Kind.STORAGE, f"the index was made by another schema {version} than this program's")
    return set(applied)


def prepare(path: Path, now: float) -> None:
    """Make the file, or upgrade it, without a run of a server."""
    with closing(connect(path)) as connection:
        upgrade(connection, now)


def complaints(connection: apsw.Connection) -> list[str]:
    """What SQLite finds wrong with a file: pages, indexes, references. Reads all of it."""
    try:
        lines = [str(row[0]) for row in connection.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
        lines += [str(row[0]) for row in connection.execute(_CONTRADICTIONS).fetchall()]
        strays = connection.execute("PRAGMA foreign_key_check").fetchall()
    except apsw.Error as error:
        return [str(error)]
    return lines + [f"a row of {table} refers to what is not in {parent}" for table, _, parent, _ in strays]


def _pairs(cursor: apsw.Cursor) -> list[Any]:
    return cursor.fetchall()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
