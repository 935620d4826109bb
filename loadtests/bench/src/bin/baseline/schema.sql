-- One row for each line of a cart, for each SKU, for each hold; every change is a statement upon them. Times are
-- milliseconds since 1970-01-01T00:00:00Z. Rows that change have room for their next version on the same page.
CREATE TABLE variant (
    sku      TEXT   NOT NULL PRIMARY KEY,
    name     TEXT   NOT NULL,
    amount   BIGINT NOT NULL,
    currency TEXT   NOT NULL
);

CREATE TABLE cart (
    id         UUID   NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
    version    BIGINT NOT NULL DEFAULT 1,
    currency   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE cart_line (
    cart       UUID   NOT NULL REFERENCES cart (id) ON DELETE CASCADE,
    sku        TEXT   NOT NULL,
    quantity   BIGINT NOT NULL CHECK (0 < quantity AND quantity < 2147483648),
    unit_price BIGINT NOT NULL,
    PRIMARY KEY (cart, sku)
) WITH (fillfactor = 50);

CREATE TABLE stock (
    sku     TEXT   NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL DEFAULT 1,
    on_hand BIGINT NOT NULL,
    held    BIGINT NOT NULL DEFAULT 0,
    sold    BIGINT NOT NULL DEFAULT 0 CHECK (sold >= 0),
    CHECK (0 <= held AND held <= on_hand)
) WITH (fillfactor = 10);

CREATE TABLE hold (
    id         UUID   NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
    sku        TEXT   NOT NULL,
    quantity   BIGINT NOT NULL CHECK (quantity > 0),
    expires_at BIGINT NOT NULL
);
CREATE INDEX hold_expires_at ON hold (expires_at);

CREATE TABLE shop_order (
    id        UUID   NOT NULL PRIMARY KEY,
    cart      UUID   NOT NULL,
    email     TEXT,
    currency  TEXT   NOT NULL,
    total     BIGINT NOT NULL,
    placed_at BIGINT NOT NULL
);
CREATE INDEX shop_order_placed_at ON shop_order (placed_at);

CREATE TABLE order_line (
    shop_order UUID   NOT NULL REFERENCES shop_order (id),
    sku        TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    quantity   BIGINT NOT NULL,
    unit_price BIGINT NOT NULL,
    PRIMARY KEY (shop_order, sku)
);

CREATE TABLE idempotency_key (
    key        TEXT   NOT NULL PRIMARY KEY,
    shop_order UUID   NOT NULL,
    at         BIGINT NOT NULL
);
