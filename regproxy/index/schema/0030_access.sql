-- Who there is, and what they may do: users, groups and permission targets as JSON, by their kind and name.
CREATE TABLE principals (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Tokens that were given out and not revoked: a token without a row is worth nothing.
CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    reference TEXT NOT NULL,
    expires REAL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX tokens_by_reference ON tokens (reference) WHERE reference <> '';

-- One row: counts changes of all of this, and has the key by which tokens are signed.
CREATE TABLE access (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    stamp INTEGER NOT NULL,
    signing_key BLOB NOT NULL
) STRICT;

INSERT INTO access VALUES (1, 0, randomblob(32));
