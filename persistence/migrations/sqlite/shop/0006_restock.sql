-- When a cancelled order is restocked next (shop time), how often that has failed, and whether all of its units are back:
-- then what is left is that its SKUs forget it.
ALTER TABLE shop_order ADD COLUMN restock_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shop_order ADD COLUMN restock_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shop_order ADD COLUMN units_returned INTEGER NOT NULL DEFAULT 0 CHECK (units_returned IN (0, 1));

DROP INDEX shop_order_restock;
CREATE INDEX shop_order_restock ON shop_order (restock_at, id) WHERE restock_due = 1;
