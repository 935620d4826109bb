-- `body` is a framed record (persistence/src/record/frame.rs) that repeats the key and carries a checksum.
CREATE TABLE entry (
    incarnation BYTEA    NOT NULL,
    lane        SMALLINT NOT NULL,
    sequence    BIGINT   NOT NULL CHECK (sequence > 0),
    body        BYTEA    NOT NULL,
    PRIMARY KEY (incarnation, lane, sequence)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
-- Packed already, and read only after a crash.
ALTER TABLE entry ALTER COLUMN body SET STORAGE EXTERNAL;

-- Entries up to and including `through` were forgotten; the lane's numbers go on after them.
CREATE TABLE trimmed (
    incarnation BYTEA    NOT NULL,
    lane        SMALLINT NOT NULL,
    through     BIGINT   NOT NULL,
    PRIMARY KEY (incarnation, lane)
) WITH (fillfactor = 50);

-- One round trip: fenced, in sequence, and accepted once. 0: it is there. -1: another entry has the number. Otherwise the
-- sequence that is expected.
CREATE FUNCTION journal_append(given BYTEA, lock_key BIGINT, in_lane SMALLINT, number BIGINT, record BYTEA)
RETURNS BIGINT LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    newest BIGINT;
    there  BYTEA;
BEGIN
    PERFORM fence(given, lock_key);
    SELECT sequence INTO newest FROM entry
        WHERE incarnation = given AND lane = in_lane ORDER BY sequence DESC LIMIT 1;
    IF newest IS NULL THEN
        SELECT through INTO newest FROM trimmed WHERE incarnation = given AND lane = in_lane;
        newest := coalesce(newest, 0);
    END IF;
    IF number = newest + 1 THEN
        -- An earlier try, whose answer was lost, may be on its way still: this one waits for it, and sees it below.
        INSERT INTO entry (incarnation, lane, sequence, body) VALUES (given, in_lane, number, record)
            ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN 0;
        END IF;
    END IF;
    SELECT body INTO there FROM entry WHERE incarnation = given AND lane = in_lane AND sequence = number;
    IF there = record THEN
        RETURN 0;
    ELSIF there IS NOT NULL THEN
        RETURN -1;
    END IF;
    RETURN newest + 1;
END
$$;
