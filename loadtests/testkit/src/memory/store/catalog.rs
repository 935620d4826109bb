use std::collections::BTreeMap;

use async_trait::async_trait;
use smartcart_domain::{catalog::Product, id::ProductId};
use smartcart_engine::store::{CatalogStore, Conflict, StoreError, TableKey, Written};

use super::{super::tables::KeySubject, MemoryStore};

type Products = BTreeMap<ProductId, Product>;
type Versions = BTreeMap<ProductId, u64>;

/// The product as it was written: at the next version.
fn put(products: &mut Products, deleted: &Versions, product: &Product) -> Result<Product, StoreError> {
    let before = products.get(&product.id).map(|known| known.version);
    let version = before.or_else(|| deleted.get(&product.id).copied()).unwrap_or(0);
    for variant in &product.variants {
        let has = |other: &&Product| {
            other.id != product.id && other.variants.iter().any(|theirs| theirs.sku == variant.sku)
        };
        if let Some(owner) = products.values().find(has) {
            let (sku, product) = (variant.sku.clone(), owner.id.clone());
            return Err(Conflict::SkuTaken { sku, product }.into());
        }
    }
    let written = Product { version: version + 1, ..product.clone() };
    products.insert(product.id.clone(), written.clone());
    Ok(written)
}

fn must_be_at(expected: Option<u64>, version: u64) -> Result<(), StoreError> {
    match expected {
        Some(expected) if expected != version => Err(StoreError::Stale { version }),
        Some(_) | None => Ok(()),
    }
}

#[async_trait]
impl CatalogStore for MemoryStore {
    async fn load_catalog(&self) -> Result<(u64, Vec<Product>), StoreError> {
        self.read(|state| {
            (state.tables.catalog_generation, state.tables.products.values().cloned().collect())
        })
        .await
    }

    async fn put_product(
        &self,
        product: &Product,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<Written<Product>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            if let Some(KeySubject::Product(value)) = tables.seen(key)? {
                return Ok(Written { value, replayed: true });
            }
            must_be_at(expected, tables.products.get(&product.id).map_or(0, |known| known.version))?;
            if let Some(known) = tables.products.get(&product.id).filter(|known| known.says_the_same(product))
            {
                let value = known.clone();
                tables.remember(key, KeySubject::Product(value.clone()));
                return Ok(Written { value, replayed: false });
            }
            let value = put(&mut tables.products, &tables.deleted_products, product)?;
            tables.catalog_generation += 1;
            tables.remember(key, KeySubject::Product(value.clone()));
            self.database.tell();
            Ok(Written { value, replayed: false })
        })
        .await
    }

    async fn put_products(&self, products: &[Product]) -> Result<Vec<Product>, StoreError> {
        self.write(|state| {
            let mut next = state.tables.products.clone();
            // First of all, so that a SKU may move from one product to another of the same import.
            for product in products {
                if let Some(known) = next.get_mut(&product.id) {
                    known.variants.clear();
                }
            }
            let deleted = &state.tables.deleted_products;
            let written: Vec<_> =
                products.iter().map(|product| put(&mut next, deleted, product)).collect::<Result<_, _>>()?;
            state.tables.products = next;
            state.tables.catalog_generation += 1;
            self.database.tell();
            Ok(written)
        })
        .await
    }

    async fn delete_product(
        &self,
        id: &ProductId,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<Written<()>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            if tables.seen(key)?.is_some() {
                return Ok(Written { value: (), replayed: true });
            }
            let version = tables.products.get(id).ok_or(StoreError::NotFound)?.version;
            must_be_at(expected, version)?;
            tables.products.remove(id);
            tables.deleted_products.insert(id.clone(), version);
            tables.catalog_generation += 1;
            tables.remember(key, KeySubject::ProductGone);
            self.database.tell();
            Ok(Written { value: (), replayed: false })
        })
        .await
    }
}
