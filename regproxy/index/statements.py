"""Every change of the SQLite index, as functions on a connection inside a transaction that somebody else commits.

They run on the writer thread and keep nothing: a change that raises is rolled back as if it had not begun.
"""
# ruff: noqa: S608 - nothing but our own column lists is put into SQL

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import apsw

from regproxy.index.interface import BlobRow, Use
from regproxy.index.queries import MAY_GO
from regproxy.index.rows import BLOB_COLUMNS, NEGATIVE_COLUMNS, NODE_COLUMNS, last_touched, negative_row, node_row
from regproxy.index.usage import Tally
from regproxy.model.digest import Digest
from regproxy.model.node import Negative, Node

# What the last put says about durability holds: a blob that was lost and fetched again is not durable any more.
_PUT_BLOB = f"""
INSERT INTO blobs ({BLOB_COLUMNS}) VALUES (?, ?, ?, ?)
ON CONFLICT (sha256) DO UPDATE SET size = excluded.size, synced = excluded.synced, last_used = max(last_used, excluded.last_used)
"""
_PUT_NODE = f"""
INSERT INTO nodes ({NODE_COLUMNS}, last_used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (repository, path) DO UPDATE SET
    sha256 = excluded.sha256, size = excluded.size, media_type = excluded.media_type, etag = excluded.etag,
    last_modified = excluded.last_modified, kept = excluded.kept, validators = excluded.validators,
    modified = excluded.modified, checked = excluded.checked, origin = excluded.origin,
    last_used = max(last_used, excluded.last_used)
"""
_PUT_ALIAS = """
INSERT INTO aliases (algorithm, value, sha256) VALUES (?, ?, ?)
ON CONFLICT (algorithm, value) DO UPDATE SET sha256 = excluded.sha256
"""
_REFRESH = """
UPDATE nodes SET
    media_type = ?5, etag = ?6, last_modified = ?7, kept = ?8, validators = ?9, modified = ?11, checked = ?12, origin = ?13,
    last_used = max(last_used, ?12)
WHERE repository = ?1 AND path = ?2 AND sha256 = ?3
"""
_COUNT = """
UPDATE nodes SET
    downloads = downloads + ?1, last_downloaded_by = iif(?2 >= coalesce(last_downloaded, 0), ?3, last_downloaded_by),
    last_downloaded = max(coalesce(last_downloaded, 0), ?2), last_used = max(last_used, ?2)
WHERE repository = ?4 AND path = ?5
"""
_USE = "UPDATE nodes SET last_used = max(last_used, ?) WHERE repository = ? AND path = ?"
_NAMED = f"SELECT repository, path, {MAY_GO} FROM nodes WHERE sha256 = ?"
_RELEASE = f"DELETE FROM nodes WHERE repository = ? AND path = ? AND sha256 = ? AND last_used <= ? AND {MAY_GO}"
_BELOW = "substr(path, 1, length(?3)) = ?3"
_FORGET = "DELETE FROM blobs WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM nodes WHERE sha256 = ?1)"


def put(connection: apsw.Connection, node: Node, digests: Sequence[Digest], *, synced: bool) -> None:
    """See ``Index.put``."""
    connection.execute(_PUT_BLOB, (node.sha256, node.size, synced, last_touched(node)))
    connection.execute(_PUT_NODE, (*node_row(node), last_touched(node)))
    for digest in digests:
        if digest.algorithm != "sha256":
            connection.execute(_PUT_ALIAS, (digest.algorithm, digest.hex, node.sha256))
    connection.execute("DELETE FROM negatives WHERE repository = ? AND path = ?", (node.repository, node.path))


def adopt(connection: apsw.Connection, blobs: Sequence[BlobRow]) -> int:
    """See ``Index.adopt``."""
    added = 0
    for blob in blobs:
        row = (blob.sha256, blob.size, blob.synced, blob.last_used)
        connection.execute(f"INSERT OR IGNORE INTO blobs ({BLOB_COLUMNS}) VALUES (?, ?, ?, ?)", row)
        added += connection.changes()
    return added


def refresh(connection: apsw.Connection, node: Node) -> None:
    """See ``Index.refresh``."""
    connection.execute(_REFRESH, node_row(node))


def remove(connection: apsw.Connection, repository: str, path: str) -> bool:
    """See ``Index.remove``."""
    connection.execute("DELETE FROM nodes WHERE repository = ? AND path = ?", (repository, path))
    return connection.changes() > 0


def deny(connection: apsw.Connection, negative: Negative) -> None:
    """See ``Index.deny``."""
    connection.execute(f"INSERT OR REPLACE INTO negatives ({NEGATIVE_COLUMNS}) VALUES (?, ?, ?, ?, ?)", negative_row(negative))


def distrust(connection: apsw.Connection, repository: str, path: str, now: float, until: float) -> None:
    """See ``Index.distrust``."""
    connection.execute("DELETE FROM distrusted WHERE until <= ?", (now,))
    connection.execute("INSERT OR REPLACE INTO distrusted (repository, path, until) VALUES (?, ?, ?)", (repository, path, until))


def mark_synced(connection: apsw.Connection, sha256: str) -> None:
    """See ``Index.synced``."""
    connection.execute("UPDATE blobs SET synced = 1 WHERE sha256 = ?", (sha256,))


def forget(connection: apsw.Connection, sha256: str) -> bool:
    """See ``Index.forget``; aliases go with the row."""
    connection.execute(_FORGET, (sha256,))
    return not connection.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (sha256,)).fetchall()


def evict(connection: apsw.Connection, seen: BlobRow, kept: Collection[str]) -> list[tuple[str, str]] | None:
    """See ``Index.evict``; the keys of the nodes that went, None if nothing did."""
    rows = connection.execute("SELECT last_used FROM blobs WHERE sha256 = ?", (seen.sha256,)).fetchall()
    if not rows or float(rows[0][0]) > seen.last_used:  # type: ignore[arg-type] # a REAL column
        return None
    nodes: list[Any] = connection.execute(_NAMED, (seen.sha256,)).fetchall()
    if any(not may_go or repository in kept for repository, _, may_go in nodes):
        return None
    connection.execute("DELETE FROM nodes WHERE sha256 = ?", (seen.sha256,))
    connection.execute("DELETE FROM blobs WHERE sha256 = ?", (seen.sha256,))
    return [(repository, path) for repository, path, _ in nodes]


def release(connection: apsw.Connection, seen: Use) -> bool:
    """See ``Index.release``."""
    connection.execute(_RELEASE, (seen.repository, seen.path, seen.sha256, seen.last_used))
    return connection.changes() > 0


def pin(connection: apsw.Connection, repository: str, path: str, *, pinned: bool) -> int:
    """See ``Index.pin``."""
    if path.endswith("/") or not path:
        connection.execute(f"UPDATE nodes SET pinned = ?1 WHERE repository = ?2 AND {_BELOW}", (pinned, repository, path))
    else:
        connection.execute("UPDATE nodes SET pinned = ?1 WHERE repository = ?2 AND path = ?3", (pinned, repository, path))
    return connection.changes()


def remember(connection: apsw.Connection, name: str, word: str) -> None:
    """See ``Index.remember``."""
    connection.execute("INSERT OR REPLACE INTO words (name, word) VALUES (?, ?)", (name, word))


def count(connection: apsw.Connection, tallies: Iterable[Tally]) -> list[Tally]:
    """Write what was counted in memory; returns those downloads for which there is no node."""
    missed = []
    for tally in tallies:
        key = (tally.repository, tally.path)
        if tally.used:
            connection.execute(_USE, (tally.used, *key))
        if tally.downloads:
            connection.execute(_COUNT, (tally.downloads, tally.last, tally.by, *key))
            if not connection.changes():
                missed.append(tally)
        for sha256, when in tally.blobs.items():
            connection.execute("UPDATE blobs SET last_used = max(last_used, ?) WHERE sha256 = ?", (when, sha256))
    return missed


def drop_expired(connection: apsw.Connection, before: float) -> None:
    """Remove negative answers that nobody has believed for long: whoever asks for made-up paths must not fill the disk."""
    connection.execute("DELETE FROM negatives WHERE expires < ?", (before,))


def mark_run(connection: apsw.Connection, *, clean: bool) -> None:
    """Note that a run begins or has ended, on the disk when this returns; outside of a transaction."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("UPDATE run SET clean = ?", (clean,))
    connection.execute("PRAGMA synchronous = NORMAL")
