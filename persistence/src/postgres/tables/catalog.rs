//! Products and their variants. Every change raises the catalogue's generation in its own transaction, and begins by
//! locking it: changes of the catalogue come one after the other.

use std::collections::HashMap;

use smartcart_domain::{
    catalog::{Product, Variant, resolve},
    id::{ProductId, Sku},
};
use smartcart_engine::store::{CatalogWritten, Conflict, Imported, ImportedRow, StoreError, TableKey};
use sqlx::{Connection as _, PgConnection};

use super::keys;
use crate::{
    columns::unsigned,
    error::{TableResult, corrupt},
    postgres::notifications::notify,
    rows::{
        ProductColumns, VariantColumns, imported_rows,
        json::{encode_attributes, encode_images, encode_prices},
        product_id, product_replayed, product_subject, products,
    },
};

pub(super) async fn load(connection: &mut PgConnection) -> TableResult<(u64, Vec<Product>)> {
    // Generation, products and variants of one moment.
    let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let generation = generation(&mut snapshot).await?;
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
    Ok((generation, products(rows, variants)?))
}

async fn generation(connection: &mut PgConnection) -> TableResult<u64> {
    let generation: i64 =
        sqlx::query_scalar("SELECT catalog_generation FROM shop").fetch_one(connection).await?;
    Ok(unsigned(generation))
}

/// Locks the catalogue for who may find that there is nothing to change. The generation that it has.
async fn lock(connection: &mut PgConnection) -> TableResult<u64> {
    let generation: i64 =
        sqlx::query_scalar("SELECT catalog_generation FROM shop FOR UPDATE").fetch_one(connection).await?;
    Ok(unsigned(generation))
}

/// Locks the catalogue and raises its generation, which is seen when the transaction commits.
async fn raise_generation(connection: &mut PgConnection) -> TableResult<u64> {
    let generation: i64 = sqlx::query_scalar(
        "UPDATE shop SET catalog_generation = catalog_generation + 1 RETURNING catalog_generation",
    )
    .fetch_one(&mut *connection)
    .await?;
    notify(connection).await?;
    Ok(unsigned(generation))
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

pub(super) async fn put(
    connection: &mut PgConnection,
    product: &Product,
    expected: Option<u64>,
    key: Option<&TableKey>,
) -> TableResult<CatalogWritten<Product>> {
    let mut transaction = connection.begin().await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        let (value, generation) = (product_replayed(product, &subject)?, generation(&mut transaction).await?);
        return Ok(CatalogWritten { value, replayed: true, generation });
    }
    let generation = lock(&mut transaction).await?;
    let stored = load_one(&mut transaction, &product.id).await?;
    let version = stored.as_ref().map_or(0, |stored| stored.version);
    if expected.is_some_and(|expected| expected != version) {
        return Err(StoreError::Stale { version }.into());
    }
    if let Some(value) = stored.filter(|stored| stored.says_the_same(product)) {
        keys::remember(&mut transaction, key, &product_subject(&value)).await?;
        transaction.commit().await?;
        return Ok(CatalogWritten { value, replayed: false, generation });
    }
    let generation = raise_generation(&mut transaction).await?;
    let value = write(&mut transaction, product).await?;
    keys::remember(&mut transaction, key, &product_subject(&value)).await?;
    transaction.commit().await?;
    Ok(CatalogWritten { value, replayed: false, generation })
}

pub(super) async fn put_many(connection: &mut PgConnection, products: &[Product]) -> TableResult<Imported> {
    let mut transaction = connection.begin().await?;
    let raised = raise_generation(&mut transaction).await?;
    let (stored, owners) = concerned(&mut transaction, products).await?;
    let (mut rows, changed) = imported_rows(products, resolve(products, &stored, &owners));
    if changed.is_empty() {
        transaction.rollback().await?;
        return Ok(Imported { rows, generation: raised - 1 });
    }
    // First of all, so that a SKU may move from one product to another of the same import.
    for index in &changed {
        drop_variants(&mut transaction, &products[*index].id).await?;
    }
    for index in changed {
        rows[index] = ImportedRow::Written(write(&mut transaction, &products[index]).await?);
    }
    transaction.commit().await?;
    Ok(Imported { rows, generation: raised })
}

/// These products as they are stored, and the products to which their SKUs belong.
async fn concerned(
    connection: &mut PgConnection,
    wanted: &[Product],
) -> TableResult<(HashMap<ProductId, Product>, HashMap<Sku, ProductId>)> {
    let ids: Vec<&str> = wanted.iter().map(|product| product.id.as_str()).collect();
    let skus = wanted.iter().flat_map(|product| &product.variants).map(|variant| &variant.sku);
    let skus: HashMap<&str, &Sku> = skus.map(|sku| (sku.as_str(), sku)).collect();
    let variants: Vec<VariantColumns> = sqlx::query_as(
        "SELECT sku, product, attributes, prices FROM variant WHERE product = ANY($1) ORDER BY product, position",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let rows: Vec<ProductColumns> = sqlx::query_as(
        "SELECT id, version, name, description, category, images, updated_at FROM product WHERE id = ANY($1)",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let owned: Vec<(String, String)> = sqlx::query_as("SELECT sku, product FROM variant WHERE sku = ANY($1)")
        .bind(skus.keys().copied().collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let stored = products(rows, variants)?.into_iter().map(|product| (product.id.clone(), product)).collect();
    let mut owners = HashMap::new();
    for (sku, owner) in owned {
        if let Some(sku) = skus.get(sku.as_str()) {
            owners.insert((*sku).clone(), product_id(&owner)?);
        }
    }
    Ok((stored, owners))
}

pub(super) async fn delete(
    connection: &mut PgConnection,
    id: &ProductId,
    expected: Option<u64>,
    key: Option<&TableKey>,
) -> TableResult<CatalogWritten<()>> {
    let mut transaction = connection.begin().await?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        let generation = generation(&mut transaction).await?;
        return Ok(CatalogWritten { value: (), replayed: true, generation });
    }
    let generation = raise_generation(&mut transaction).await?;
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
    Ok(CatalogWritten { value: (), replayed: false, generation })
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
    let (sku, product) = (variant.sku.clone(), product_id(&owner)?);
    Err(StoreError::from(Conflict::SkuTaken { sku, product }).into())
}

async fn drop_variants(connection: &mut PgConnection, product: &ProductId) -> TableResult<()> {
    sqlx::query("DELETE FROM variant WHERE product = $1").bind(product.as_str()).execute(connection).await?;
    Ok(())
}
