-- Ids are compared byte by byte, as the program does.
CREATE TABLE product (
    id          TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    version     BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    description TEXT   NOT NULL,
    category    TEXT   NOT NULL,
    -- JSON: ["address", ...].
    images      TEXT   NOT NULL,
    updated_at  BIGINT NOT NULL
);

-- A SKU belongs to one product.
CREATE TABLE variant (
    sku        TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    product    TEXT    COLLATE "C" NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    -- Its place among the product's variants, from 0.
    position   INTEGER NOT NULL,
    -- JSON: {"name": "value", ...}.
    attributes TEXT    NOT NULL,
    -- JSON: [{"amount", "currency"}, ...].
    prices     TEXT    NOT NULL
);
CREATE UNIQUE INDEX variant_product ON variant (product, position);
