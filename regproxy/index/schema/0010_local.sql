-- What clients have put into repositories, and what is said about nodes and folders. A folder's path ends in a slash.

-- A node that has a row here cannot be fetched again: it is removed by those who may delete it, and by nobody else.
CREATE TABLE deposits (
    repository TEXT NOT NULL,
    path TEXT NOT NULL,
    created_by TEXT NOT NULL,
    modified_by TEXT NOT NULL,
    PRIMARY KEY (repository, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE folders (
    repository TEXT NOT NULL,
    path TEXT NOT NULL,
    created REAL NOT NULL,
    modified REAL NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (repository, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE properties (
    repository TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (repository, path, name, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX properties_by_name ON properties (name, value);

-- Sums over deposits.
CREATE TABLE occupied (
    repository TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    files INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER nodes_end AFTER DELETE ON nodes BEGIN
    UPDATE occupied SET size = size - OLD.size, files = files - 1
    WHERE repository = OLD.repository
        AND EXISTS (SELECT 1 FROM deposits WHERE repository = OLD.repository AND path = OLD.path);
    DELETE FROM deposits WHERE repository = OLD.repository AND path = OLD.path;
    DELETE FROM properties WHERE repository = OLD.repository AND path = OLD.path;
END;

CREATE TRIGGER folders_end AFTER DELETE ON folders BEGIN
    DELETE FROM properties WHERE repository = OLD.repository AND path = OLD.path;
END;
