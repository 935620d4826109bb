-- Which tables this journal belongs to, so that neither file is ever opened with another one than it was written with. Each
-- start is a run, and has a number.
CREATE TABLE run (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    shop  BLOB    NOT NULL CHECK (length(shop) = 16),
    -- The last run that both files know.
    known INTEGER NOT NULL,
    -- The run that is being written to the tables, or `known`.
    begun INTEGER NOT NULL CHECK (begun >= known)
) STRICT;
