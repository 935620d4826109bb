-- `lines` is JSON: [{"sku", "name", "quantity", "unit_price", "line_total"}]; `history`: [{"status", "at"}].
CREATE TABLE shop_order (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    number            TEXT    NOT NULL,
    version           INTEGER NOT NULL,
    status            TEXT    NOT NULL,
    cart              BLOB    NOT NULL,
    user              BLOB,
    currency          TEXT    NOT NULL,
    total             INTEGER NOT NULL CHECK (total >= 0),
    lines             TEXT    NOT NULL,
    email             TEXT,
    shipping_address  TEXT,
    metadata          TEXT,
    payment_method    TEXT    NOT NULL,
    payment_reference TEXT    NOT NULL,
    history           TEXT    NOT NULL,
    placed_at         INTEGER NOT NULL,
    restock_due       INTEGER NOT NULL DEFAULT 0 CHECK (restock_due IN (0, 1))
) STRICT;

CREATE INDEX shop_order_placed ON shop_order (placed_at, id);
CREATE INDEX shop_order_user ON shop_order (user, placed_at, id) WHERE user IS NOT NULL;
CREATE INDEX shop_order_restock ON shop_order (id) WHERE restock_due = 1;
