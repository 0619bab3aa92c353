-- Pins; when a node was last used; how much a repository and the store hold, by triggers.

ALTER TABLE nodes ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN last_used REAL NOT NULL DEFAULT 0;
UPDATE nodes SET last_used = max(coalesce(last_downloaded, 0), created, modified, checked);

CREATE INDEX nodes_by_use ON nodes (repository, last_used);

-- How often a repository names a blob.
CREATE TABLE holdings (
    repository TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    nodes INTEGER NOT NULL,
    PRIMARY KEY (repository, sha256)
) STRICT, WITHOUT ROWID;

INSERT INTO holdings SELECT repository, sha256, max(size), count(*) FROM nodes GROUP BY repository, sha256;

-- Blobs and bytes of each repository, a blob counted once; of the whole store, where the owner is ''.
CREATE TABLE sums (
    owner TEXT NOT NULL PRIMARY KEY,
    blobs INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO sums SELECT '', count(*), coalesce(sum(size), 0) FROM blobs;
INSERT INTO sums SELECT repository, count(*), sum(size) FROM holdings GROUP BY repository;

CREATE TRIGGER blobs_added AFTER INSERT ON blobs BEGIN
    UPDATE sums SET blobs = blobs + 1, bytes = bytes + new.size WHERE owner = '';
END;

CREATE TRIGGER blobs_removed AFTER DELETE ON blobs BEGIN
    UPDATE sums SET blobs = blobs - 1, bytes = bytes - old.size WHERE owner = '';
END;

CREATE TRIGGER blobs_changed AFTER UPDATE OF size ON blobs WHEN new.size <> old.size BEGIN
    UPDATE sums SET bytes = bytes + new.size - old.size WHERE owner = '';
END;

CREATE TRIGGER nodes_added AFTER INSERT ON nodes BEGIN
    INSERT INTO holdings VALUES (new.repository, new.sha256, new.size, 1)
    ON CONFLICT (repository, sha256) DO UPDATE SET nodes = nodes + 1;
END;

CREATE TRIGGER nodes_removed AFTER DELETE ON nodes BEGIN
    UPDATE holdings SET nodes = nodes - 1 WHERE repository = old.repository AND sha256 = old.sha256;
    DELETE FROM holdings WHERE repository = old.repository AND sha256 = old.sha256 AND nodes = 0;
END;

CREATE TRIGGER nodes_changed AFTER UPDATE OF sha256 ON nodes WHEN new.sha256 <> old.sha256 BEGIN
    UPDATE holdings SET nodes = nodes - 1 WHERE repository = old.repository AND sha256 = old.sha256;
    DELETE FROM holdings WHERE repository = old.repository AND sha256 = old.sha256 AND nodes = 0;
    INSERT INTO holdings VALUES (new.repository, new.sha256, new.size, 1)
    ON CONFLICT (repository, sha256) DO UPDATE SET nodes = nodes + 1;
END;

CREATE TRIGGER holdings_added AFTER INSERT ON holdings BEGIN
    INSERT INTO sums VALUES (new.repository, 1, new.size)
    ON CONFLICT (owner) DO UPDATE SET blobs = blobs + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER holdings_removed AFTER DELETE ON holdings BEGIN
    UPDATE sums SET blobs = blobs - 1, bytes = bytes - old.size WHERE owner = old.repository;
END;
