-- What is to be told to others, oldest first; a row leaves when its target has heard it.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    name TEXT NOT NULL,
    created REAL NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE INDEX outbox_by_target ON outbox (target, id);
