-- What the next version may do to the schema while this one still runs: add what this one need not know. One table in one
-- file, hence in one transaction: two would be locked in another order than a flush locks them.
ALTER TABLE cart ADD COLUMN gift_note TEXT;
