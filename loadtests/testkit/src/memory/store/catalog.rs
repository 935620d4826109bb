use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use smartcart_domain::{
    catalog::{Product, Resolution, resolve},
    id::{ProductId, Sku},
};
use smartcart_engine::store::{
    CatalogStore, CatalogWritten, Conflict, Imported, ImportedRow, StoreError, TableKey,
};

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

/// The product to which each SKU belongs.
fn owners(products: &Products) -> HashMap<Sku, ProductId> {
    let skus = |product: &Product| {
        let id = product.id.clone();
        product.variants.iter().map(move |variant| (variant.sku.clone(), id.clone())).collect::<Vec<_>>()
    };
    products.values().flat_map(skus).collect()
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
    ) -> Result<CatalogWritten<Product>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            if let Some(KeySubject::Product(value)) = tables.seen(key)? {
                return Ok(CatalogWritten { value, replayed: true, generation: tables.catalog_generation });
            }
            must_be_at(expected, tables.products.get(&product.id).map_or(0, |known| known.version))?;
            if let Some(known) = tables.products.get(&product.id).filter(|known| known.says_the_same(product))
            {
                let value = known.clone();
                tables.remember(key, KeySubject::Product(value.clone()));
                return Ok(CatalogWritten { value, replayed: false, generation: tables.catalog_generation });
            }
            let value = put(&mut tables.products, &tables.deleted_products, product)?;
            tables.catalog_generation += 1;
            tables.remember(key, KeySubject::Product(value.clone()));
            self.database.tell();
            Ok(CatalogWritten { value, replayed: false, generation: tables.catalog_generation })
        })
        .await
    }

    async fn put_products(&self, products: &[Product]) -> Result<Imported, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            let stored: HashMap<ProductId, Product> =
                tables.products.iter().map(|(id, product)| (id.clone(), product.clone())).collect();
            let resolved = resolve(products, &stored, &owners(&tables.products));
            // First of all, so that a SKU may move from one product to another of the same import.
            for (product, _) in products.iter().zip(&resolved).filter(|row| *row.1 == Resolution::Write) {
                if let Some(known) = tables.products.get_mut(&product.id) {
                    known.variants.clear();
                }
            }
            let (stored, deleted) = (&mut tables.products, &tables.deleted_products);
            let row = |(product, resolution)| match resolution {
                Resolution::Unchanged => Ok(ImportedRow::Unchanged),
                Resolution::SkuTaken { sku, product } => {
                    Ok(ImportedRow::Refused(Conflict::SkuTaken { sku, product }))
                }
                Resolution::Write => put(stored, deleted, product).map(ImportedRow::Written),
            };
            let resolved = products.iter().zip(resolved);
            let rows: Vec<_> = resolved.map(row).collect::<Result<_, StoreError>>()?;
            if rows.iter().any(|row| matches!(row, ImportedRow::Written(_))) {
                tables.catalog_generation += 1;
                self.database.tell();
            }
            Ok(Imported { rows, generation: tables.catalog_generation })
        })
        .await
    }

    async fn delete_product(
        &self,
        id: &ProductId,
        expected: Option<u64>,
        key: Option<TableKey>,
    ) -> Result<CatalogWritten<()>, StoreError> {
        self.write(|state| {
            let tables = &mut state.tables;
            if tables.seen(key)?.is_some() {
                let generation = tables.catalog_generation;
                return Ok(CatalogWritten { value: (), replayed: true, generation });
            }
            let version = tables.products.get(id).ok_or(StoreError::NotFound)?.version;
            must_be_at(expected, version)?;
            tables.products.remove(id);
            tables.deleted_products.insert(id.clone(), version);
            tables.catalog_generation += 1;
            tables.remember(key, KeySubject::ProductGone);
            self.database.tell();
            Ok(CatalogWritten { value: (), replayed: false, generation: tables.catalog_generation })
        })
        .await
    }
}
