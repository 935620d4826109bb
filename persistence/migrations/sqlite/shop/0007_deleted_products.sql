-- The last version of each product that was deleted: one that is entered again under its id goes on from there, so that no
-- entity tag stands for two products.
CREATE TABLE deleted_product (
    id      TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT;
