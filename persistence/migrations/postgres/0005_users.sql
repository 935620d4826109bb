CREATE TABLE app_user (
    id            BYTEA  NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version       BIGINT NOT NULL,
    email         TEXT   NOT NULL,
    -- The address in lower case: one account for each.
    email_key     TEXT   NOT NULL UNIQUE,
    name          TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE session (
    id         BYTEA   NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    shopper    BYTEA   NOT NULL REFERENCES app_user (id),
    generation BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    revoked    BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX session_shopper ON session (shopper);
CREATE INDEX session_revoked ON session (expires_at) WHERE revoked;

CREATE TABLE address (
    shopper BYTEA  NOT NULL REFERENCES app_user (id),
    id      BYTEA  NOT NULL CHECK (length(id) = 16),
    version BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    -- The order in which they were entered.
    place   BIGINT GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (shopper, id)
);
