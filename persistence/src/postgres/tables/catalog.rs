//! Products and their variants. Every change raises the catalogue's generation in its own transaction, and begins by
//! locking it: changes of the catalogue come one after the other.

use smartcart_domain::{
    catalog::{Product, Variant},
    id::ProductId,
};
use smartcart_engine::store::{Conflict, StoreError, TableKey, Written};
use sqlx::{Connection as _, PgConnection};

use super::keys;
use crate::{
    columns::unsigned,
    error::{TableResult, corrupt},
    postgres::notifications::notify,
    rows::{
        ProductColumns, VariantColumns,
        json::{encode_attributes, encode_images, encode_prices},
        product_replayed, product_subject, products,
    },
};

pub(super) async fn load(connection: &mut PgConnection) -> TableResult<(u64, Vec<Product>)> {
    // Generation, products and variants of one moment.
    let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let generation: i64 =
        sqlx::query_scalar("SELECT catalog_generation FROM shop").fetch_one(&mut *snapshot).await?;
    let variants: Vec<VariantColumns> =
        sqlx::query_as("SELECT sku, product, attributes, prices FROM variant ORDER BY product, position")
            .fetch_all(&mut *snapshot)
            .await?;
    let rows: Vec<ProductColumns> = sqlx::query_as(
        "SELECT id, version, name, description, category, images, updated_at FROM product ORDER BY id",
    )
    .fetch_all(&mut *snapshot)
    .await?;
    snapshot.commit().await?;
    Ok((unsigned(generation), products(rows, variants)?))
}

async fn load_one(connection: &mut PgConnection, id: &ProductId) -> TableResult<Option<Product>> {
    let variants: Vec<VariantColumns> = sqlx::query_as(
        "SELECT sku, product, attributes, prices FROM variant WHERE product = $1 ORDER BY position",
    )
    .bind(id.as_str())
    .fetch_all(&mut *connection)
    .await?;
    let rows: Vec<ProductColumns> = sqlx::query_as(
        "SELECT id, version, name, description, category, images, updated_at FROM product WHERE id = $1",
    )
    .bind(id.as_str())
    .fetch_all(&mut *connection)
    .await?;
    Ok(products(rows, variants)?.pop())
}

/// Locks the catalogue for who may find that there is nothing to change.
async fn lock(connection: &mut PgConnection) -> TableResult<()> {
    sqlx::query("SELECT 1 FROM shop FOR UPDATE").execute(connection).await?;
    Ok(())
}

/// Locks the catalogue and raises its generation; seen when the transaction commits.
async fn raise_generation(connection: &mut PgConnection) -> TableResult<()> {
    sqlx::query("UPDATE shop SET catalog_generation = catalog_generation + 1")
        .execute(&mut *connection)
        .await?;
    notify(connection).await
}

pub(super) async fn put(
    connection: &mut PgConnection,
    product: &Product,
    expected: Option<u64>,
    key: Option<&TableKey>,
) -> TableResult<Written<Product>> {
    let mut transaction = connection.begin().await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        return Ok(Written { value: product_replayed(product, &subject)?, replayed: true });
    }
    lock(&mut transaction).await?;
    let stored = load_one(&mut transaction, &product.id).await?;
    let version = stored.as_ref().map_or(0, |stored| stored.version);
    if expected.is_some_and(|expected| expected != version) {
        return Err(StoreError::Stale { version }.into());
    }
    if let Some(value) = stored.filter(|stored| stored.says_the_same(product)) {
        keys::remember(&mut transaction, key, &product_subject(&value)).await?;
        transaction.commit().await?;
        return Ok(Written { value, replayed: false });
    }
    raise_generation(&mut transaction).await?;
    let value = write(&mut transaction, product).await?;
    keys::remember(&mut transaction, key, &product_subject(&value)).await?;
    transaction.commit().await?;
    Ok(Written { value, replayed: false })
}

pub(super) async fn put_many(
    connection: &mut PgConnection,
    products: &[Product],
) -> TableResult<Vec<Product>> {
    let mut transaction = connection.begin().await?;
    raise_generation(&mut transaction).await?;
    // First of all, so that a SKU may move from one product to another of the same import.
    for product in products {
        drop_variants(&mut transaction, &product.id).await?;
    }
    let mut written = Vec::with_capacity(products.len());
    for product in products {
        written.push(write(&mut transaction, product).await?);
    }
    transaction.commit().await?;
    Ok(written)
}

pub(super) async fn delete(
    connection: &mut PgConnection,
    id: &ProductId,
    expected: Option<u64>,
    key: Option<&TableKey>,
) -> TableResult<Written<()>> {
    let mut transaction = connection.begin().await?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        return Ok(Written { value: (), replayed: true });
    }
    raise_generation(&mut transaction).await?;
    let version = version(&mut transaction, id).await?.ok_or(StoreError::NotFound)?;
    if expected.is_some_and(|expected| expected != version) {
        return Err(StoreError::Stale { version }.into());
    }
    // Who has its tag must not find another product under it.
    sqlx::query(
        "INSERT INTO deleted_product (id, version) SELECT id, version FROM product WHERE id = $1
         ON CONFLICT (id) DO UPDATE SET version = excluded.version",
    )
    .bind(id.as_str())
    .execute(&mut *transaction)
    .await?;
    sqlx::query("DELETE FROM product WHERE id = $1").bind(id.as_str()).execute(&mut *transaction).await?;
    keys::remember(&mut transaction, key, id.as_str().as_bytes()).await?;
    transaction.commit().await?;
    Ok(Written { value: (), replayed: false })
}

async fn version(connection: &mut PgConnection, id: &ProductId) -> TableResult<Option<u64>> {
    let version: Option<i64> = sqlx::query_scalar("SELECT version FROM product WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(version.map(unsigned))
}

async fn write(connection: &mut PgConnection, product: &Product) -> TableResult<Product> {
    let images = encode_images(&product.images).map_err(corrupt(&product.id))?;
    let version: i64 = sqlx::query_scalar(
        "INSERT INTO product (id, version, name, description, category, images, updated_at)
         VALUES ($1, 1 + COALESCE((SELECT version FROM deleted_product WHERE id = $1), 0), $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET version = product.version + 1, name = excluded.name,
         description = excluded.description, category = excluded.category, images = excluded.images,
         updated_at = excluded.updated_at
         RETURNING version",
    )
    .bind(product.id.as_str())
    .bind(&product.name)
    .bind(&product.description)
    .bind(&product.category)
    .bind(images)
    .bind(product.updated_at.0)
    .fetch_one(&mut *connection)
    .await?;
    drop_variants(connection, &product.id).await?;
    for (position, variant) in (0_i32..).zip(&product.variants) {
        write_variant(connection, product, position, variant).await?;
    }
    Ok(Product { version: unsigned(version), ..product.clone() })
}

async fn write_variant(
    connection: &mut PgConnection,
    product: &Product,
    position: i32,
    variant: &Variant,
) -> TableResult<()> {
    let sku = variant.sku.as_str();
    let written = sqlx::query(
        "INSERT INTO variant (sku, product, position, attributes, prices) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (sku) DO NOTHING",
    )
    .bind(sku)
    .bind(product.id.as_str())
    .bind(position)
    .bind(encode_attributes(&variant.attributes).map_err(corrupt(sku))?)
    .bind(encode_prices(&variant.prices).map_err(corrupt(sku))?)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if written == 1 {
        return Ok(());
    }
    let owner: String = sqlx::query_scalar("SELECT product FROM variant WHERE sku = $1")
        .bind(sku)
        .fetch_one(connection)
        .await?;
    let owner = owner.parse().map_err(|_| StoreError::Corrupt(format!("'{owner}' is not a product's id")))?;
    Err(StoreError::from(Conflict::SkuTaken { sku: variant.sku.clone(), product: owner }).into())
}

async fn drop_variants(connection: &mut PgConnection, product: &ProductId) -> TableResult<()> {
    sqlx::query("DELETE FROM variant WHERE product = $1").bind(product.as_str()).execute(connection).await?;
    Ok(())
}
