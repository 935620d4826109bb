use std::collections::HashMap;

use smartcart_domain::{
    catalog::{Product, Resolution, Variant},
    id::ProductId,
    time::Timestamp,
};
use smartcart_engine::store::{Conflict, ImportedRow, StoreError};

use crate::{
    columns::unsigned,
    error::corrupt,
    rows::json::{decode_attributes, decode_images, decode_prices},
};

#[derive(sqlx::FromRow)]
pub(crate) struct ProductColumns {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) category: String,
    pub(crate) images: String,
    pub(crate) updated_at: i64,
}

#[derive(sqlx::FromRow)]
pub(crate) struct VariantColumns {
    pub(crate) sku: String,
    pub(crate) product: String,
    pub(crate) attributes: String,
    pub(crate) prices: String,
}

/// Products with their variants, which come in their order.
pub(crate) fn products(
    rows: Vec<ProductColumns>,
    variants: Vec<VariantColumns>,
) -> Result<Vec<Product>, StoreError> {
    let mut of_product: HashMap<String, Vec<Variant>> = HashMap::new();
    for row in variants {
        let subject = format!("SKU {}", row.sku);
        let variant = Variant {
            sku: row.sku.parse().map_err(|_| StoreError::Corrupt(format!("{subject}: not a SKU")))?,
            attributes: decode_attributes(&row.attributes).map_err(corrupt(&subject))?,
            prices: decode_prices(&row.prices).map_err(corrupt(&subject))?,
        };
        of_product.entry(row.product).or_default().push(variant);
    }
    let product = |row: ProductColumns| {
        let subject = format!("product {}", row.id);
        Ok(Product {
            variants: of_product.remove(&row.id).unwrap_or_default(),
            id: row.id.parse().map_err(|_| StoreError::Corrupt(format!("{subject}: not an id")))?,
            version: unsigned(row.version),
            name: row.name,
            description: row.description,
            category: row.category,
            images: decode_images(&row.images).map_err(corrupt(&subject))?,
            updated_at: Timestamp(row.updated_at),
        })
    };
    rows.into_iter().map(product).collect()
}

pub(crate) fn product_id(text: &str) -> Result<ProductId, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(format!("'{text}' is not a product's id")))
}

/// What becomes of an import's rows but for those, by their indices, that are yet to be written.
pub(crate) fn imported_rows(
    products: &[Product],
    resolved: Vec<Resolution>,
) -> (Vec<ImportedRow>, Vec<usize>) {
    let mut changed = Vec::new();
    let row = |(index, (product, resolution)): (usize, (&Product, Resolution))| match resolution {
        Resolution::Unchanged => ImportedRow::Unchanged,
        Resolution::SkuTaken { sku, product } => ImportedRow::Refused(Conflict::SkuTaken { sku, product }),
        Resolution::Write => {
            changed.push(index);
            ImportedRow::Written(product.clone())
        }
    };
    let rows = products.iter().zip(resolved).enumerate().map(row).collect();
    (rows, changed)
}

/// What an idempotency key remembers of a product, what the database adds to a request: version and time.
pub(crate) fn product_subject(written: &Product) -> Vec<u8> {
    [written.version.to_be_bytes(), written.updated_at.0.to_be_bytes()].concat()
}

pub(crate) fn product_replayed(request: &Product, subject: &[u8]) -> Result<Product, StoreError> {
    let parts =
        subject.split_first_chunk::<8>().and_then(|(version, at)| Some((version, at.try_into().ok()?)));
    let (version, at) = parts.ok_or_else(|| StoreError::Corrupt("a product's idempotency key".to_owned()))?;
    let (version, updated_at) = (u64::from_be_bytes(*version), Timestamp(i64::from_be_bytes(at)));
    Ok(Product { version, updated_at, ..request.clone() })
}
