"""Before a newer program changes the schema of an index it keeps a copy, which the program that wrote it can go back to."""

import os
from contextlib import closing, suppress
from pathlib import Path

import apsw

from regproxy.errors import Kind, RegproxyError
from regproxy.index import migrate


def keep_older(path: Path) -> int | None:
    """Copy an index of an older schema to ``{path}.schema-{version}``. Blocks. ``RegproxyError`` if that cannot be.

    The schema that it has; None for what is no index, or cannot be read, which is left to whoever opens it.
    """
    if not path.exists():
        return None
    with suppress(apsw.Error), closing(apsw.Connection(str(path))) as connection:
        version = connection.execute("SELECT max(version) FROM schema_version").fetchall()[0][0]
        if isinstance(version, int):
            if version < migrate.newest():
                _copy(connection, copy_of(path, version))
            return version
    return None


def copy_of(path: Path, version: int) -> str:
    """Where the copy of that schema is."""
    return f"{path}.schema-{version}"


def _copy(connection: apsw.Connection, path: str) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    try:
        connection.execute("VACUUM INTO ?", (path,))
    except apsw.Error as error:
        os.unlink(path)  # noqa: PTH108 - a path of SQLite's
        text = f"the index cannot be copied to {path}, and is not upgraded without that"
        raise RegproxyError(Kind.STORAGE, text, detail=str(error)) from error
