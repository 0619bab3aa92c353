"""A database file that cannot be used: put aside, so that an empty one can take its place. Nothing of it is believed.

SQLite's pages carry no checksums: a path or a digest that is salvaged from a broken file may be another one's, and somebody would
be served the wrong artifact for it. The file is kept for who knows better.
"""

import os
from pathlib import Path

import apsw
from attrs import frozen
from txaio.tx import make_logger

from regproxy.index.migrate import connect, upgrade
from regproxy.index.statements import mark_run

log = make_logger()

DAMAGED = (apsw.CorruptError, apsw.NotADBError)

_COMPANIONS = ("-wal", "-shm", "-journal")


@frozen
class Opened:
    """A file that is open for a run, and what it said about the last one."""

    connection: apsw.Connection
    was_clean: bool
    is_new: bool


def open_for_run(path: Path, now: float) -> Opened:
    """Open and upgrade the file, and note durably that a run has begun. Blocks. A damaged one is put aside first."""
    try:
        return _open(path, now)
    except DAMAGED as error:
        aside = _put_aside(path, now)
        log.critical(
            "the index is damaged ({error}): it is now {aside}, and an empty one takes its place. What remotes held is fetched "
            "anew; what was put into local repositories has lost its names until a backup is restored",
            error=error,
            aside=aside,
        )
        return _open(path, now)


def _open(path: Path, now: float) -> Opened:
    connection = connect(path)
    try:
        is_new = upgrade(connection, now)
        was_clean = bool(connection.execute("SELECT clean FROM run").fetchall()[0][0])
        if not was_clean:
            _check(connection)
        mark_run(connection, clean=False)
    except BaseException:
        connection.close()
        raise
    return Opened(connection, was_clean, is_new)


def _check(connection: apsw.Connection) -> None:
    """Look at every page once; after an unclean stop only, because it takes a second for each few hundred megabytes."""
    (first,) = connection.execute("PRAGMA quick_check(1)").fetchall()[0]
    if first != "ok":
        raise apsw.CorruptError(str(first))


def _put_aside(path: Path, now: float) -> Path:
    """Give the file, and what belongs to it, a name that says what it is."""
    aside = path.with_name(f"{path.name}.damaged-{int(now)}")
    for companion in ("", *_COMPANIONS):
        source = Path(f"{path}{companion}")
        if source.exists():
            os.replace(source, f"{aside}{companion}")  # noqa: PTH105 - one text for both names
    return aside
