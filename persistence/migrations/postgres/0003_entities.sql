-- The shop itself: one row.
CREATE TABLE shop (
    one                BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (one),
    shop_time          BIGINT  NOT NULL,
    catalog_generation BIGINT  NOT NULL,
    secret             BYTEA,
    -- The oldest program, by its newest migration, that may use this schema.
    needs_schema       BIGINT  NOT NULL DEFAULT 1
) WITH (fillfactor = 10);
INSERT INTO shop (shop_time, catalog_generation) VALUES (0, 0);

-- `image` is the cart at `image_version`; what came after it, up to `version`, is in cart_tail.
-- The other columns are those of `version`. Rows have room for their next version on the same page, and no index has a
-- column that changes often.
CREATE TABLE cart (
    id            BYTEA   NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version       BIGINT  NOT NULL,
    image_version BIGINT  NOT NULL CHECK (0 < image_version AND image_version <= version),
    owner         BYTEA,
    checking_out  BOOLEAN NOT NULL,
    last_order    BYTEA,
    currency      TEXT    NOT NULL,
    quantity      BIGINT  NOT NULL CHECK (quantity >= 0),
    subtotal      BIGINT,
    updated_at    BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    image         BYTEA   NOT NULL
) WITH (fillfactor = 75);

-- Checkouts that are not settled: resumed after a crash.
CREATE INDEX cart_checking_out ON cart (id) WHERE checking_out;

-- Changes since the image. `version` is that of the last one in `changes`.
CREATE TABLE cart_tail (
    cart    BYTEA  NOT NULL,
    version BIGINT NOT NULL,
    changes BYTEA  NOT NULL,
    PRIMARY KEY (cart, version)
);

-- The CHECKs are the second line of defence against overselling.
CREATE TABLE stock (
    sku           TEXT    NOT NULL PRIMARY KEY,
    version       BIGINT  NOT NULL,
    image_version BIGINT  NOT NULL CHECK (0 < image_version AND image_version <= version),
    on_hand       BIGINT  NOT NULL,
    held          BIGINT  NOT NULL,
    sold          BIGINT  NOT NULL,
    stocked       BIGINT  NOT NULL,
    next_deadline BIGINT,
    has_holds     BOOLEAN NOT NULL,
    image         BYTEA   NOT NULL,
    CONSTRAINT stock_held_is_on_hand CHECK (0 <= held AND held <= on_hand),
    CONSTRAINT stock_sold_is_not_negative CHECK (sold >= 0),
    CONSTRAINT stock_adds_up CHECK (on_hand + sold = stocked)
) WITH (fillfactor = 50);

CREATE INDEX stock_has_holds ON stock (sku) WHERE has_holds;

CREATE TABLE stock_tail (
    sku     TEXT   NOT NULL,
    version BIGINT NOT NULL,
    changes BYTEA  NOT NULL,
    PRIMARY KEY (sku, version)
);

-- How far each lane of a journal is in these tables; written in the same transaction as what it says.
CREATE TABLE watermark (
    incarnation BYTEA    NOT NULL,
    lane        SMALLINT NOT NULL,
    sequence    BIGINT   NOT NULL,
    PRIMARY KEY (incarnation, lane)
) WITH (fillfactor = 50);

-- Keys of changes to the resources that live in the tables alone. `subject` says what the answer was about.
CREATE TABLE idempotency_key (
    key     BYTEA  NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    request BIGINT NOT NULL,
    subject BYTEA  NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX idempotency_key_at ON idempotency_key (at);
