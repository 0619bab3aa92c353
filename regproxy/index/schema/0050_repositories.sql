-- Repositories that were made while the server ran, as the JSON that was said of them; '' is one that was removed and whose nodes
-- are still going.
CREATE TABLE repositories (
    key TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: counts changes of it.
CREATE TABLE repositories_changed (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    stamp INTEGER NOT NULL
) STRICT;

INSERT INTO repositories_changed VALUES (1, 0);
