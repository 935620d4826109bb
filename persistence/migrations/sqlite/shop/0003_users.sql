CREATE TABLE app_user (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version       INTEGER NOT NULL,
    email         TEXT    NOT NULL,
    -- The address in lower case: one account for each.
    email_key     TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user       BLOB    NOT NULL REFERENCES app_user (id),
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked    INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1))
) STRICT;
CREATE INDEX session_user ON session (user);
CREATE INDEX session_revoked ON session (expires_at) WHERE revoked = 1;

CREATE TABLE address (
    user    BLOB    NOT NULL REFERENCES app_user (id),
    id      BLOB    NOT NULL CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    UNIQUE (user, id)
) STRICT;
