-- Pods and shards. Ids are 16 bytes, times are milliseconds since 1970-01-01T00:00:00Z, shop times are shop time.

-- One start of one pod, as long as it is not gone.
CREATE TABLE member (
    incarnation BYTEA   NOT NULL PRIMARY KEY CHECK (length(incarnation) = 16),
    pod         TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    owns_shards BOOLEAN NOT NULL,
    protocol    BIGINT  NOT NULL,
    beat        BIGINT  NOT NULL DEFAULT 0,
    shop_time   BIGINT  NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('live', 'leaving', 'dead'))
) WITH (fillfactor = 50);

CREATE TABLE shard (
    id    SMALLINT NOT NULL PRIMARY KEY CHECK (0 <= id AND id < 1024),
    epoch BIGINT   NOT NULL,
    owner BYTEA
) WITH (fillfactor = 50);
INSERT INTO shard (id, epoch) SELECT id, 0 FROM generate_series(0, 1023) AS id;

-- The fence. Whoever writes for an incarnation shares its lock to the end of the transaction; whoever declares it dead
-- has the lock alone, and so waits for what is in flight. The state is read after the lock was got: each statement of
-- this function sees what was committed before it began.
CREATE FUNCTION fence(given BYTEA, lock_key BIGINT) RETURNS VOID LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(lock_key);
    PERFORM 1 FROM member WHERE incarnation = given AND state IN ('live', 'leaving');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incarnation % may not write', encode(given, 'hex') USING ERRCODE = 'SC001';
    END IF;
END
$$;

-- Whether the member is dead now; false when it is gone.
CREATE FUNCTION declare_dead(given BYTEA, lock_key BIGINT) RETURNS BOOLEAN LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_key);
    UPDATE member SET state = 'dead' WHERE incarnation = given;
    RETURN FOUND;
END
$$;
