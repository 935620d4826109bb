-- `lines` is JSON: [{"sku", "name", "quantity", "unit_price", "line_total"}]; `history`: [{"status", "at"}].
CREATE TABLE shop_order (
    id                BYTEA   NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    number            TEXT    NOT NULL,
    version           BIGINT  NOT NULL,
    status            TEXT    NOT NULL,
    cart              BYTEA   NOT NULL,
    shopper           BYTEA,
    currency          TEXT    NOT NULL,
    total             BIGINT  NOT NULL CHECK (total >= 0),
    lines             TEXT    NOT NULL,
    email             TEXT,
    shipping_address  TEXT,
    metadata          TEXT,
    payment_method    TEXT    NOT NULL,
    payment_reference TEXT    NOT NULL,
    history           TEXT    NOT NULL,
    placed_at         BIGINT  NOT NULL,
    restock_due       BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE INDEX shop_order_placed ON shop_order (placed_at, id);
CREATE INDEX shop_order_shopper ON shop_order (shopper, placed_at, id) WHERE shopper IS NOT NULL;
CREATE INDEX shop_order_restock ON shop_order (id) WHERE restock_due;
