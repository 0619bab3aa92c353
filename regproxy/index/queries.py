"""What the SQLite index asks of its tables: plain texts, which SQLite prepares once per connection."""
# ruff: noqa: S608 - nothing but our own column lists is put into them

from regproxy.index.rows import BLOB_COLUMNS, NEGATIVE_COLUMNS, NODE_COLUMNS

PAGE = 1000

NODE = f"SELECT {NODE_COLUMNS} FROM nodes WHERE repository = ? AND path = ?"
NODES = f"SELECT {NODE_COLUMNS} FROM nodes WHERE repository = ? AND path >= ? ORDER BY path LIMIT ?"
NODES_UNTIL = f"SELECT {NODE_COLUMNS} FROM nodes WHERE repository = ? AND path >= ? AND path < ? ORDER BY path LIMIT ?"
BLOB = f"SELECT {BLOB_COLUMNS} FROM blobs WHERE sha256 = ?"
BLOBS = f"SELECT {BLOB_COLUMNS} FROM blobs WHERE sha256 > ? ORDER BY sha256 LIMIT {PAGE}"
ALIAS = "SELECT sha256 FROM aliases WHERE algorithm = ? AND value = ?"
NEGATIVE = f"SELECT {NEGATIVE_COLUMNS} FROM negatives WHERE repository = ? AND path = ?"
UNSYNCED = "SELECT sha256 FROM blobs WHERE NOT synced ORDER BY sha256"
UNREFERENCED = f"""
SELECT {BLOB_COLUMNS} FROM blobs WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.sha256 = blobs.sha256)
ORDER BY last_used, sha256 LIMIT ?
"""
NODES_OF = f"SELECT {NODE_COLUMNS} FROM nodes WHERE sha256 = ? ORDER BY repository, path"
DISTRUSTED = "SELECT repository, path, until FROM distrusted"
SUM = "SELECT blobs, bytes FROM sums WHERE owner = ?"
# What clients have put here is nobody's to evict.
MAY_GO = """
NOT pinned AND origin <> ''
AND NOT EXISTS (SELECT 1 FROM deposits WHERE deposits.repository = nodes.repository AND deposits.path = nodes.path)
"""
LEAST_USED = f"""
SELECT {BLOB_COLUMNS} FROM blobs WHERE NOT EXISTS (
    SELECT 1 FROM nodes WHERE nodes.sha256 = blobs.sha256
    AND (NOT ({MAY_GO}) OR repository IN (SELECT value FROM json_each(?)))
) ORDER BY last_used, sha256 LIMIT ?
"""
LEAST_USED_IN = f"""
SELECT repository, path, sha256, size, last_used FROM nodes WHERE repository = ? AND last_used < ? AND {MAY_GO}
ORDER BY last_used, path LIMIT ?
"""
PINS = "SELECT path FROM nodes WHERE repository = ? AND pinned AND substr(path, 1, length(?2)) = ?2 ORDER BY path"
WORD = "SELECT word FROM words WHERE name = ?"
