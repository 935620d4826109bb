-- Which journal these tables belong to (journal/1002_run.sql).
CREATE TABLE last_run (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    shop  BLOB    NOT NULL CHECK (length(shop) = 16),
    number INTEGER NOT NULL
) STRICT;
