-- The journal, in a file of its own: appending waits for nothing but its own fsync.

-- `body` is a framed record (persistence/src/record/frame.rs) that repeats the key and carries a checksum.
CREATE TABLE entry (
    incarnation BLOB    NOT NULL CHECK (length(incarnation) = 16),
    lane        INTEGER NOT NULL,
    sequence    INTEGER NOT NULL CHECK (sequence > 0),
    body        BLOB    NOT NULL,
    PRIMARY KEY (incarnation, lane, sequence)
) STRICT, WITHOUT ROWID;

-- Entries up to and including `through` were forgotten; the lane's numbers go on after them.
CREATE TABLE trimmed (
    incarnation BLOB    NOT NULL,
    lane        INTEGER NOT NULL,
    through     INTEGER NOT NULL,
    PRIMARY KEY (incarnation, lane)
) STRICT, WITHOUT ROWID;

-- Incarnations that can append no more.
CREATE TABLE sealed (
    incarnation BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
