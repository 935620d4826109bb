-- When a cancelled order is restocked next (shop time), how often that has failed, and whether all of its units are back:
-- then what is left is that its SKUs forget it. The index shop_order_restock finds the few orders concerned.
ALTER TABLE shop_order ADD COLUMN restock_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE shop_order ADD COLUMN restock_tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE shop_order ADD COLUMN units_returned BOOLEAN NOT NULL DEFAULT FALSE;
