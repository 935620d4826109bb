//! Products and their variants. Every change raises the catalogue's generation in its own transaction.

use std::collections::HashMap;

use smartcart_domain::{
    catalog::{Product, Variant, resolve},
    id::{ProductId, Sku},
};
use smartcart_engine::store::{CatalogWritten, Conflict, Imported, ImportedRow, StoreError, TableKey};
use sqlx::{Connection, SqliteConnection};

use super::keys;
use crate::error::TableResult;
use crate::{
    columns::unsigned,
    error::corrupt,
    rows::{
        ProductColumns, VariantColumns, imported_rows,
        json::{encode_attributes, encode_images, encode_prices},
        product_id, product_replayed, product_subject, products,
    },
};

pub(super) async fn load(connection: &mut SqliteConnection) -> TableResult<(u64, Vec<Product>)> {
    // Generation, products and variants of one moment.
    let mut snapshot = connection.begin().await?;
    let generation = generation(&mut snapshot).await?;
    let variants = sqlx::query_as!(
        VariantColumns,
        "SELECT sku, product, attributes, prices FROM variant ORDER BY product, position"
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let rows = sqlx::query_as!(
        ProductColumns,
        "SELECT id, version, name, description, category, images, updated_at FROM product ORDER BY id"
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok((generation, products(rows, variants)?))
}

async fn generation(connection: &mut SqliteConnection) -> TableResult<u64> {
    let generation = sqlx::query_scalar!("SELECT catalog_generation FROM shop").fetch_one(connection).await?;
    Ok(unsigned(generation))
}

async fn load_one(connection: &mut SqliteConnection, id: &ProductId) -> TableResult<Option<Product>> {
    let id = id.as_str();
    let variants = sqlx::query_as!(
        VariantColumns,
        "SELECT sku, product, attributes, prices FROM variant WHERE product = ? ORDER BY position",
        id
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = sqlx::query_as!(
        ProductColumns,
        "SELECT id, version, name, description, category, images, updated_at FROM product WHERE id = ?",
        id
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(products(rows, variants)?.pop())
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    product: &Product,
    expected: Option<u64>,
    key: Option<&TableKey>,
) -> TableResult<CatalogWritten<Product>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(subject) = keys::seen(&mut transaction, key).await? {
        let (value, generation) = (product_replayed(product, &subject)?, generation(&mut transaction).await?);
        return Ok(CatalogWritten { value, replayed: true, generation });
    }
    let stored = load_one(&mut transaction, &product.id).await?;
    let version = stored.as_ref().map_or(0, |stored| stored.version);
    if expected.is_some_and(|expected| expected != version) {
        return Err(StoreError::Stale { version }.into());
    }
    if let Some(value) = stored.filter(|stored| stored.says_the_same(product)) {
        keys::remember(&mut transaction, key, &product_subject(&value)).await?;
        let generation = generation(&mut transaction).await?;
        transaction.commit().await?;
        return Ok(CatalogWritten { value, replayed: false, generation });
    }
    let value = write(&mut transaction, product).await?;
    let generation = raise_generation(&mut transaction).await?;
    keys::remember(&mut transaction, key, &product_subject(&value)).await?;
    transaction.commit().await?;
    Ok(CatalogWritten { value, replayed: false, generation })
}

pub(super) async fn put_many(
    connection: &mut SqliteConnection,
    products: &[Product],
) -> TableResult<Imported> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let (stored, owners) = concerned(&mut transaction, products).await?;
    let (mut rows, changed) = imported_rows(products, resolve(products, &stored, &owners));
    if changed.is_empty() {
        return Ok(Imported { rows, generation: generation(&mut transaction).await? });
    }
    // First of all, so that a SKU may move from one product to another of the same import.
    for index in &changed {
        drop_variants(&mut transaction, &products[*index].id).await?;
    }
    for index in changed {
        rows[index] = ImportedRow::Written(write(&mut transaction, &products[index]).await?);
    }
    let generation = raise_generation(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Imported { rows, generation })
}

/// These products as they are stored, and the products to which their SKUs belong.
async fn concerned(
    connection: &mut SqliteConnection,
    wanted: &[Product],
) -> TableResult<(HashMap<ProductId, Product>, HashMap<Sku, ProductId>)> {
    let (mut stored, mut owners) = (HashMap::new(), HashMap::new());
    for product in wanted {
        if let Some(known) = load_one(connection, &product.id).await? {
            stored.insert(known.id.clone(), known);
        }
        for variant in &product.variants {
            if let Some(owner) = owner(connection, &variant.sku).await? {
                owners.insert(variant.sku.clone(), owner);
            }
        }
    }
    Ok((stored, owners))
}

/// The product to which a SKU belongs.
async fn owner(connection: &mut SqliteConnection, sku: &Sku) -> TableResult<Option<ProductId>> {
    let sku = sku.as_str();
    let owner = sqlx::query_scalar!("SELECT product FROM variant WHERE sku = ?", sku)
        .fetch_optional(connection)
        .await?;
    Ok(owner.as_deref().map(product_id).transpose()?)
}

pub(super) async fn delete(
    connection: &mut SqliteConnection,
    id: &ProductId,
    expected: Option<u64>,
    key: Option<&TableKey>,
) -> TableResult<CatalogWritten<()>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        let generation = generation(&mut transaction).await?;
        return Ok(CatalogWritten { value: (), replayed: true, generation });
    }
    let version = version(&mut transaction, id).await?.ok_or(StoreError::NotFound)?;
    if expected.is_some_and(|expected| expected != version) {
        return Err(StoreError::Stale { version }.into());
    }
    let id = id.as_str();
    // Who has its tag must not find another product under it.
    sqlx::query!(
        "INSERT INTO deleted_product (id, version) SELECT id, version FROM product WHERE id = ?
         ON CONFLICT (id) DO UPDATE SET version = excluded.version",
        id
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!("DELETE FROM product WHERE id = ?", id).execute(&mut *transaction).await?;
    let generation = raise_generation(&mut transaction).await?;
    keys::remember(&mut transaction, key, id.as_bytes()).await?;
    transaction.commit().await?;
    Ok(CatalogWritten { value: (), replayed: false, generation })
}

async fn version(connection: &mut SqliteConnection, id: &ProductId) -> TableResult<Option<u64>> {
    let id = id.as_str();
    let version = sqlx::query_scalar!("SELECT version FROM product WHERE id = ?", id)
        .fetch_optional(connection)
        .await?;
    Ok(version.map(unsigned))
}

async fn write(connection: &mut SqliteConnection, product: &Product) -> TableResult<Product> {
    let (id, at) = (product.id.as_str(), product.updated_at.0);
    let images = encode_images(&product.images).map_err(corrupt(id))?;
    let version = sqlx::query_scalar!(
        r#"INSERT INTO product (id, version, name, description, category, images, updated_at)
           VALUES (?1, 1 + COALESCE((SELECT version FROM deleted_product WHERE id = ?1), 0), ?2, ?3, ?4, ?5, ?6)
           ON CONFLICT (id) DO UPDATE SET version = product.version + 1, name = excluded.name,
           description = excluded.description, category = excluded.category, images = excluded.images,
           updated_at = excluded.updated_at
           RETURNING version AS "version!: i64""#,
        id,
        product.name,
        product.description,
        product.category,
        images,
        at
    )
    .fetch_one(&mut *connection)
    .await?;
    drop_variants(connection, &product.id).await?;
    for (position, variant) in (0_i64..).zip(&product.variants) {
        write_variant(connection, product, position, variant).await?;
    }
    Ok(Product { version: unsigned(version), ..product.clone() })
}

async fn write_variant(
    connection: &mut SqliteConnection,
    product: &Product,
    position: i64,
    variant: &Variant,
) -> TableResult<()> {
    let (sku, id) = (variant.sku.as_str(), product.id.as_str());
    let attributes = encode_attributes(&variant.attributes).map_err(corrupt(sku))?;
    let prices = encode_prices(&variant.prices).map_err(corrupt(sku))?;
    let written = sqlx::query!(
        "INSERT INTO variant (sku, product, position, attributes, prices) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (sku) DO NOTHING",
        sku,
        id,
        position,
        attributes,
        prices
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if written == 1 {
        return Ok(());
    }
    let owner = owner(connection, &variant.sku).await?.ok_or(sqlx::Error::RowNotFound)?;
    Err(StoreError::from(Conflict::SkuTaken { sku: variant.sku.clone(), product: owner }).into())
}

async fn drop_variants(connection: &mut SqliteConnection, product: &ProductId) -> TableResult<()> {
    let id = product.as_str();
    sqlx::query!("DELETE FROM variant WHERE product = ?", id).execute(connection).await?;
    Ok(())
}

/// The new generation.
async fn raise_generation(connection: &mut SqliteConnection) -> TableResult<u64> {
    sqlx::query!("UPDATE shop SET catalog_generation = catalog_generation + 1")
        .execute(&mut *connection)
        .await?;
    generation(connection).await
}
