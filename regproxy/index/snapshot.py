"""A copy of the index in a file of its own, taken while it is in use, and cut down to what is to be kept. Blocks throughout."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
from attrs import define, frozen

from regproxy.errors import RegproxyError
from regproxy.index.migrate import connect, known_steps

_LOCAL = "SELECT 1 FROM nodes WHERE nodes.sha256 = blobs.sha256 AND origin = ''"


@frozen
class Held:
    """One blob; whether it is of a node that came from no upstream (``repo/damage.is_local``)."""

    sha256: str
    size: int
    is_local: bool


@frozen
class Naming:
    """One node, as messages call it; whether it came from no upstream."""

    node: str
    is_local: bool


def take(source: Path, target: Path) -> None:
    """Copy a database as it was at one moment; writers go on meanwhile.

    In one step: a copy that stops on its way begins anew when somebody has written in between, and would never end.
    """
    with closing(connect(source)) as original, closing(apsw.Connection(str(target))) as copy:
        with copy.backup("main", original, "main") as backup:
            backup.step()
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, which needs no companions


def in_one_file(path: Path) -> None:
    """Bring all of a database that nobody uses into its file, so that it needs no companions; nothing if there is none."""
    if path.exists():
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()


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

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        """Open it, by its absolute path, wherever it lies: nothing is written beside it."""
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return cls(apsw.Connection(f"{path.as_uri()}?immutable=1", flags=flags))

    def keep_local(self) -> None:
        """Drop what can be fetched again: nodes that came from an upstream, and their blobs."""
        with self._connection:
            self._connection.execute("DELETE FROM nodes WHERE origin <> ''")
            self._connection.execute("DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.sha256 = blobs.sha256)")
            self._connection.execute("DELETE FROM negatives")

    def blobs(self) -> Iterator[Held]:
        """All of them, in pages."""
        last = ""
        while rows := self._connection.execute(
            f"SELECT sha256, size, EXISTS ({_LOCAL}) FROM blobs WHERE sha256 > ? ORDER BY sha256 LIMIT 1000",  # noqa: S608 - ours
            (last,),
        ).fetchall():
            yield from (Held(str(sha256), int(str(size)), bool(is_local)) for sha256, size, is_local in rows)
            last = str(rows[-1][0])

    def namings(self, sha256: str) -> list[Naming]:
        """What names a blob."""
        rows = self._connection.execute(
            "SELECT repository || ':' || path, origin = '' FROM nodes WHERE sha256 = ? ORDER BY repository, path", (sha256,)
        ).fetchall()
        return [Naming(str(node), bool(is_local)) for node, is_local in rows]

    def drop_cached(self, sha256: str) -> None:
        """Drop what can be fetched again of a blob that is not there, and all of it if that was all."""
        with self._connection:
            self._connection.execute("DELETE FROM nodes WHERE sha256 = ? AND origin <> ''", (sha256,))
            self._connection.execute(f"DELETE FROM blobs WHERE sha256 = ? AND NOT EXISTS ({_LOCAL})", (sha256,))  # noqa: S608 - ours

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
        """What SQLite finds wrong with it, or why this program cannot use it."""
        try:
            wrong = [str(row[0]) for row in self._connection.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
            return wrong or ([] if known_steps(self._connection) else ["expected an index, not an empty one"])
        except RegproxyError as error:
            return [error.text]
        except apsw.SQLError as error:
            return [f"expected an index ({error})"]

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()
