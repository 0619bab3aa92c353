-- Nodes of which wrong bytes came lately: nobody may complete what he has of them.
CREATE TABLE distrusted (
    repository TEXT NOT NULL,
    path TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (repository, path)
) STRICT, WITHOUT ROWID;
