CREATE TABLE product (
    id          TEXT    NOT NULL PRIMARY KEY,
    version     INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    category    TEXT    NOT NULL,
    -- JSON: ["address", ...].
    images      TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- A SKU belongs to one product.
CREATE TABLE variant (
    sku        TEXT    NOT NULL PRIMARY KEY,
    product    TEXT    NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    -- Its place among the product's variants, from 0.
    position   INTEGER NOT NULL,
    -- JSON: {"name": "value", ...}.
    attributes TEXT    NOT NULL,
    -- JSON: [{"amount", "currency"}, ...].
    prices     TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX variant_product ON variant (product, position);
