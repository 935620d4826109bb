-- What the next version may do to the schema while this one still runs: add what this one need not know.
ALTER TABLE cart ADD COLUMN gift_note TEXT;
ALTER TABLE member ADD COLUMN zone TEXT NOT NULL DEFAULT '';
ALTER TABLE shop_order ADD COLUMN channel TEXT NOT NULL DEFAULT 'web';
CREATE TABLE wish_list (id BYTEA NOT NULL PRIMARY KEY, body TEXT NOT NULL);
