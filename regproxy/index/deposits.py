"""Changes of deposits, folders and properties, as functions on a connection inside a transaction that somebody else commits.

As in ``statements``: they run on the writer thread and keep nothing, and a change that raises is rolled back.
"""

import math
from typing import Any

import apsw
from attrs import evolve

from regproxy.errors import Kind, RegproxyError
from regproxy.index.rows import behind_prefix
from regproxy.index.statements import put
from regproxy.model.deposit import Deposit, Properties, Step, Taking, folders_above
from regproxy.model.headers import Headers
from regproxy.model.trash import PREFIX

EVERYTHING = b""
"""Sorts behind every text."""

_AT = "WHERE repository = ? AND path = ?"
_BELOW = "WHERE repository = ? AND path >= ? AND path < ?"
_PUT_FOLDER = """
INSERT INTO folders (repository, path, created, modified, created_by) VALUES (?1, ?2, ?3, ?3, ?4)
ON CONFLICT (repository, path) DO UPDATE SET modified = max(modified, excluded.modified)
"""
_PUT_DEPOSIT = """
INSERT INTO deposits (repository, path, created_by, modified_by, transient) VALUES (?1, ?2, ?3, ?3, ?4)
ON CONFLICT (repository, path) DO UPDATE SET modified_by = excluded.modified_by, transient = excluded.transient
"""
_HELD = """
SELECT size, coalesce(transient, 0) FROM nodes LEFT JOIN deposits USING (repository, path) WHERE repository = ? AND path = ?
"""
_OCCUPY = """
INSERT INTO occupied (repository, size, files, transient) VALUES (?, ?, ?, ?)
ON CONFLICT (repository) DO UPDATE
SET size = size + excluded.size, files = files + excluded.files, transient = transient + excluded.transient
"""


def deposit(connection: apsw.Connection, given: Deposit) -> bool:
    """See ``Holdings.deposit``."""
    node = given.node
    key = (node.repository, node.path)
    held: list[Any] = connection.execute(_HELD, key).fetchall()
    if held and not given.may_replace:
        raise RegproxyError(Kind.DENIED, f"{node.path!a} is there already, and replacing it needs the right to delete it")
    if connection.execute(f"SELECT 1 FROM folders {_AT}", (node.repository, node.path + "/")).fetchall():  # noqa: S608 - as above
        raise RegproxyError(Kind.CONFLICT, f"{node.path!a} is a folder")
    for size, is_transient in held:
        _occupy(connection, node.repository, -int(size), -1, is_transient=bool(is_transient))
    _occupy(connection, node.repository, node.size, 1, is_transient=given.is_transient)
    if given.most is not None and _occupied(connection, node.repository, is_transient=given.is_transient) > given.most:
        raise over_quota(node.repository, given.most)
    _make_folders(connection, node.repository, node.path, node.modified, given.by)
    put(connection, node, given.digests, synced=True)
    connection.execute(_PUT_DEPOSIT, (*key, given.by, given.is_transient))
    connection.execute(f"DELETE FROM properties {_AT}", key)  # noqa: S608 - as above
    _set(connection, *key, given.properties)
    return not held


def take(connection: apsw.Connection, given: Taking) -> bool:
    """See ``Holdings.take``."""
    node, key = given.node, (given.node.repository, given.node.path)
    held: list[Any] = connection.execute(f"SELECT sha256 FROM nodes {_AT}", key).fetchall()  # noqa: S608 - our own text
    if held != [(node.sha256,)]:
        raise RegproxyError(Kind.CONFLICT, f"{node.path!a} has just changed or gone")
    rows: list[Any] = connection.execute(f"SELECT created_by FROM deposits {_AT}", key).fetchall()  # noqa: S608 - as above
    put_there = evolve(node, repository=given.repository, path=given.path, validators=Headers(), checked=given.when, origin="")
    carried = {name: values for name, values in _properties(connection, key).items() if not name.startswith(PREFIX)}
    properties = {**carried, **given.marks}
    is_new = deposit(connection, Deposit(put_there, (), properties, given.by, given.may_replace, given.most))
    if rows and is_new:
        there = (given.repository, given.path)
        connection.execute(f"UPDATE deposits SET created_by = ? {_AT}", (rows[0][0], *there))  # noqa: S608 - as above
    if given.moves:
        connection.execute(f"DELETE FROM nodes {_AT}", key)  # noqa: S608 - as above
    return is_new


def _properties(connection: apsw.Connection, key: tuple[str, str]) -> Properties:
    found: dict[str, tuple[str, ...]] = {}
    rows: list[Any] = connection.execute(f"SELECT name, value FROM properties {_AT}", key).fetchall()  # noqa: S608 - our own text
    for name, value in rows:
        found[name] = (*found.get(name, ()), value)
    return found


def prune(connection: apsw.Connection, repository: str, path: str) -> int:
    """See ``Holdings.prune``: ``0`` is the sign behind the slash."""
    bounds = (repository, path, behind_prefix(path) or EVERYTHING)
    connection.execute(
        f"""
        DELETE FROM folders {_BELOW} AND NOT EXISTS (
            SELECT 1 FROM nodes WHERE nodes.repository = folders.repository
            AND nodes.path >= folders.path AND nodes.path < substr(folders.path, 1, length(folders.path) - 1) || '0'
        )
        """,  # noqa: S608 - our own text
        bounds,
    )
    return connection.changes()


def make(connection: apsw.Connection, repository: str, step: Step) -> bool:
    """See ``Holdings.make``."""
    for path, sha256 in step.expected.items():
        rows: list[Any] = connection.execute(f"SELECT sha256 FROM nodes {_AT}", (repository, path)).fetchall()  # noqa: S608 - our own text
        if (rows[0][0] if rows else None) != sha256:
            return False
    for path in step.removed:
        delete(connection, repository, path)
    for each in step.deposits:
        deposit(connection, each)
    return True


def over_quota(repository: str, most: int) -> RegproxyError:
    """Write the refusal."""
    return RegproxyError(Kind.TOO_LARGE, f"repository {repository} may hold {most} bytes, and would hold more with this file")


def make_folder(connection: apsw.Connection, repository: str, path: str, when: float, by: str) -> bool:
    """See ``Holdings.make_folder``."""
    if connection.execute(f"SELECT 1 FROM nodes {_AT}", (repository, path[:-1])).fetchall():  # noqa: S608 - our own text
        raise RegproxyError(Kind.CONFLICT, f"{path[:-1]!a} is a file")
    found = connection.execute(f"SELECT 1 FROM folders {_AT}", (repository, path)).fetchall()  # noqa: S608 - as above
    if not found:
        _make_folders(connection, repository, path, when, by)
        connection.execute(_PUT_FOLDER, (repository, path, when, by))
    return not found


def _make_folders(connection: apsw.Connection, repository: str, path: str, when: float, by: str) -> None:
    for folder in folders_above(path):
        if connection.execute(f"SELECT 1 FROM nodes {_AT}", (repository, folder[:-1])).fetchall():  # noqa: S608 - our own text
            raise RegproxyError(Kind.CONFLICT, f"{folder[:-1]!a} is a file: nothing lies below it")
        connection.execute(_PUT_FOLDER, (repository, folder, when, by))


def delete(connection: apsw.Connection, repository: str, path: str, before: float = math.inf) -> bool:
    """See ``Holdings.delete``; triggers do the rest."""
    if not path.endswith("/"):
        connection.execute(f"DELETE FROM nodes {_AT} AND checked < ?", (repository, path, before))  # noqa: S608 - our own text
        return connection.changes() > 0
    bounds = (repository, path, behind_prefix(path))
    removed = 0
    for table in ("nodes", "folders"):
        connection.execute(f"DELETE FROM {table} {_BELOW}", bounds)  # noqa: S608 - as above
        removed += connection.changes()
    return removed > 0


def annotate(connection: apsw.Connection, repository: str, path: str, properties: Properties, *, below: bool) -> None:
    """See ``Holdings.annotate``."""
    for target in _targets(connection, repository, path, below=below):
        for name in properties:
            connection.execute(f"DELETE FROM properties {_AT} AND name = ?", (repository, target, name))  # noqa: S608 - as above
        _set(connection, repository, target, properties)


def _targets(connection: apsw.Connection, repository: str, path: str, *, below: bool) -> list[str]:
    if not below or (path and not path.endswith("/")):
        return [path]
    bounds = (repository, path, behind_prefix(path) or EVERYTHING)
    found = {path}
    for table in ("nodes", "folders"):
        found.update(str(row[0]) for row in connection.execute(f"SELECT path FROM {table} {_BELOW}", bounds).fetchall())  # noqa: S608 - as above
    return sorted(found)


def _set(connection: apsw.Connection, repository: str, path: str, properties: Properties) -> None:
    for name, values in properties.items():
        for value in values:
            connection.execute("INSERT OR IGNORE INTO properties VALUES (?, ?, ?, ?)", (repository, path, name, value))


def _occupy(connection: apsw.Connection, repository: str, size: int, files: int, *, is_transient: bool) -> None:
    connection.execute(_OCCUPY, (repository, 0, 0, size) if is_transient else (repository, size, files, 0))


def _occupied(connection: apsw.Connection, repository: str, *, is_transient: bool) -> int:
    rows: list[Any] = connection.execute("SELECT size, transient FROM occupied WHERE repository = ?", (repository,)).fetchall()
    return int(rows[0][is_transient])
