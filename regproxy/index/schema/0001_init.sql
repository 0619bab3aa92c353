-- Times are seconds since the epoch, digests lower-case hexadecimal, headers JSON lists of pairs ('' for none).

CREATE TABLE blobs (
    sha256 TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    synced INTEGER NOT NULL,
    last_used REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX blobs_by_use ON blobs (last_used);
CREATE INDEX blobs_unsynced ON blobs (sha256) WHERE NOT synced;

-- The head's length and digest are those of the blob.
CREATE TABLE nodes (
    repository TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL REFERENCES blobs (sha256),
    size INTEGER NOT NULL,
    media_type TEXT,
    etag TEXT,
    last_modified TEXT,
    kept TEXT NOT NULL,
    validators TEXT NOT NULL,
    created REAL NOT NULL,
    modified REAL NOT NULL,
    checked REAL NOT NULL,
    origin TEXT NOT NULL,
    downloads INTEGER NOT NULL DEFAULT 0,
    last_downloaded REAL,
    PRIMARY KEY (repository, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX nodes_by_blob ON nodes (sha256);

CREATE TABLE aliases (
    algorithm TEXT NOT NULL,
    value TEXT NOT NULL,
    sha256 TEXT NOT NULL REFERENCES blobs (sha256) ON DELETE CASCADE,
    PRIMARY KEY (algorithm, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX aliases_by_blob ON aliases (sha256);

CREATE TABLE negatives (
    repository TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    expires REAL NOT NULL,
    kept TEXT NOT NULL,
    PRIMARY KEY (repository, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX negatives_by_expiry ON negatives (expires);

CREATE TABLE words (
    name TEXT NOT NULL PRIMARY KEY,
    word TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: whether the last run ended by closing the index.
CREATE TABLE run (
    clean INTEGER NOT NULL
) STRICT;

INSERT INTO run (clean) VALUES (1);
