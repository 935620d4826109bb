-- Where a member's entries are that the tables have not got: NULL: in `entry`, always; 'postgres': in `entry` at the
-- moment, for want of its Redis; 'redis': in Redis, and some perhaps in `entry`: both must be read.
ALTER TABLE member ADD COLUMN journal TEXT CHECK (journal IN ('redis', 'postgres'));

-- A dead member is not forgotten by who has not read its Redis: a version that knows nothing of it, or a pod that was not
-- given its address.
CREATE FUNCTION keep_unfinished() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'dead' AND OLD.journal = 'redis' THEN
        RAISE EXCEPTION 'the journal of incarnation % is in Redis, and not finished', encode(OLD.incarnation, 'hex')
            USING ERRCODE = 'SC002';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER keep_unfinished BEFORE DELETE ON member FOR EACH ROW EXECUTE FUNCTION keep_unfinished();

-- The tables have everything up to `number`: this journal need not, and may never have had it. Numbers go on after it.
CREATE FUNCTION journal_begin_after(given BYTEA, lock_key BIGINT, in_lane SMALLINT, number BIGINT)
RETURNS VOID LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM fence(given, lock_key);
    DELETE FROM entry WHERE incarnation = given AND lane = in_lane AND sequence <= number;
    INSERT INTO trimmed (incarnation, lane, through) VALUES (given, in_lane, number)
        ON CONFLICT (incarnation, lane) DO UPDATE SET through = greatest(trimmed.through, number);
END
$$;
