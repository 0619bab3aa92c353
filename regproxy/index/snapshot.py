"""A copy of the index in a file of its own, taken while it is in use, and cut down to what is to be kept. Blocks throughout."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
from attrs import define

from regproxy.index.migrate import connect


def take(source: Path, target: Path) -> None:
    """Copy a database as it was at one moment; writers go on meanwhile.

    In one step: a copy that stops on its way begins anew when somebody has written in between, and would never end.
    """
    with closing(connect(source)) as original, closing(apsw.Connection(str(target))) as copy:
        with copy.backup("main", original, "main") as backup:
            backup.step()
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, which needs no companions


@define
class Snapshot:
    """Such a copy, from ``open`` to ``close``."""

    _connection: apsw.Connection

    @classmethod
    def open(cls, path: Path) -> "Snapshot":
        """Open it for changes."""
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.execute("PRAGMA foreign_keys = ON").fetchall()
        return cls(connection)

    def keep_local(self) -> None:
        """Drop what can be fetched again: nodes that came from an upstream (``repo/damage.is_local``), and their blobs."""
        with self._connection:
            self._connection.execute("DELETE FROM nodes WHERE origin <> ''")
            self._connection.execute("DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.sha256 = blobs.sha256)")
            self._connection.execute("DELETE FROM negatives")

    def blobs(self) -> Iterator[tuple[str, int]]:
        """Names and sizes, in pages."""
        last = ""
        while rows := self._connection.execute(
            "SELECT sha256, size FROM blobs WHERE sha256 > ? ORDER BY sha256 LIMIT 1000", (last,)
        ).fetchall():
            yield from ((str(sha256), int(str(size))) for sha256, size in rows)
            last = str(rows[-1][0])

    def lose(self, sha256: str) -> None:
        """Drop a blob that went between the snapshot and its copy, with the nodes that named it."""
        with self._connection:
            self._connection.execute("DELETE FROM nodes WHERE sha256 = ?", (sha256,))
            self._connection.execute("DELETE FROM blobs WHERE sha256 = ?", (sha256,))

    def finish(self) -> None:
        """What is restored from here was closed well, and every blob of it is on the disk."""
        with self._connection:
            self._connection.execute("UPDATE blobs SET synced = 1")
            self._connection.execute("UPDATE run SET clean = 1")
        self._connection.execute("VACUUM").fetchall()

    def complaints(self) -> list[str]:
        """What SQLite finds wrong with it."""
        return [str(row[0]) for row in self._connection.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()
