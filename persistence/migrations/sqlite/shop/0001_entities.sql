-- Ids are 16 bytes, money is minor units, times are milliseconds since 1970-01-01T00:00:00Z (deadlines: shop time).

-- The shop itself: one row.
CREATE TABLE shop (
    one                INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    shop_time          INTEGER NOT NULL,
    catalog_generation INTEGER NOT NULL,
    secret             BLOB
) STRICT;
INSERT INTO shop (one, shop_time, catalog_generation) VALUES (1, 0, 0);

-- `image` is the cart at `image_version`; what came after it, up to `version`, is in cart_tail.
-- The other columns are those of `version`. Ids are random, so the rows lie in the order in which carts came, and the
-- carts in use, mostly the newest, share pages: fewer pages to write in a flush.
CREATE TABLE cart (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version       INTEGER NOT NULL,
    image_version INTEGER NOT NULL CHECK (0 < image_version AND image_version <= version),
    owner         BLOB,
    checking_out  INTEGER NOT NULL CHECK (checking_out IN (0, 1)),
    last_order    BLOB,
    currency      TEXT    NOT NULL,
    quantity      INTEGER NOT NULL CHECK (quantity >= 0),
    subtotal      INTEGER,
    updated_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    image         BLOB    NOT NULL
) STRICT;

-- Checkouts that are not settled: resumed after a crash.
CREATE INDEX cart_checking_out ON cart (id) WHERE checking_out = 1;

-- Changes since the image. `version` is that of the last one in `changes`.
CREATE TABLE cart_tail (
    cart    BLOB    NOT NULL,
    version INTEGER NOT NULL,
    changes BLOB    NOT NULL,
    PRIMARY KEY (cart, version)
) STRICT, WITHOUT ROWID;

-- The CHECKs are the second line of defence against overselling.
CREATE TABLE stock (
    sku           TEXT    NOT NULL PRIMARY KEY,
    version       INTEGER NOT NULL,
    image_version INTEGER NOT NULL CHECK (0 < image_version AND image_version <= version),
    on_hand       INTEGER NOT NULL,
    held          INTEGER NOT NULL,
    sold          INTEGER NOT NULL,
    stocked       INTEGER NOT NULL,
    next_deadline INTEGER,
    image         BLOB    NOT NULL,
    CONSTRAINT stock_held_is_on_hand CHECK (0 <= held AND held <= on_hand),
    CONSTRAINT stock_sold_is_not_negative CHECK (sold >= 0),
    CONSTRAINT stock_adds_up CHECK (on_hand + sold = stocked)
) STRICT, WITHOUT ROWID;

-- SKUs with a hold.
CREATE INDEX stock_next_deadline ON stock (next_deadline) WHERE next_deadline IS NOT NULL;

CREATE TABLE stock_tail (
    sku     TEXT    NOT NULL,
    version INTEGER NOT NULL,
    changes BLOB    NOT NULL,
    PRIMARY KEY (sku, version)
) STRICT, WITHOUT ROWID;

-- How far each lane of a journal is in these tables; written in the same transaction as what it says.
CREATE TABLE watermark (
    incarnation BLOB    NOT NULL CHECK (length(incarnation) = 16),
    lane        INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    PRIMARY KEY (incarnation, lane)
) STRICT, WITHOUT ROWID;

-- Keys of changes to the resources that live in the tables alone. `subject` says what the answer was about.
CREATE TABLE idempotency_key (
    key     BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    request INTEGER NOT NULL,
    subject BLOB    NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_key_at ON idempotency_key (at);
