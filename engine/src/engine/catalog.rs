//! The shop's catalogue: a snapshot that readers share, changed in the tables first.

use std::{sync::Arc, time::Duration};

use arc_swap::Guard;
use tokio::{sync::watch, task::JoinHandle};

use super::Engine;
use crate::{
    backoff::Backoff,
    store::{StoreError, Written},
};
use smartcart_domain::{
    catalog::{Catalog, Product},
    id::ProductId,
    idempotency::KeyFingerprint,
};

/// Between two attempts to load the catalogue.
const RELOAD_PAUSE: Duration = Duration::from_millis(500);

impl Engine {
    /// The catalogue as it is now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// The same for who looks at it only now: nothing is counted that threads share.
    pub fn glance_at_catalog(&self) -> Guard<Arc<Catalog>> {
        self.catalog.load()
    }

    pub async fn put_product(
        &self,
        product: &Product,
        expected: Option<u64>,
        key: Option<KeyFingerprint>,
    ) -> Result<Written<Product>, StoreError> {
        let _one_at_a_time = self.catalog_change.lock().await;
        let written = self.store.put_product(product, expected, self.table_key(key)).await?;
        // What changed nothing has raised no generation in the tables either.
        if self.catalog.load().product(&product.id).is_none_or(|known| **known != written.value) {
            self.swap_catalog([written.value.clone()], &[]);
        }
        Ok(written)
    }

    /// All or none.
    pub async fn put_products(&self, products: &[Product]) -> Result<Vec<Product>, StoreError> {
        let _one_at_a_time = self.catalog_change.lock().await;
        let written = self.store.put_products(products).await?;
        self.swap_catalog(written.iter().cloned(), &[]);
        Ok(written)
    }

    pub async fn delete_product(
        &self,
        id: &ProductId,
        expected: Option<u64>,
        key: Option<KeyFingerprint>,
    ) -> Result<Written<()>, StoreError> {
        let _one_at_a_time = self.catalog_change.lock().await;
        let written = self.store.delete_product(id, expected, self.table_key(key)).await?;
        if !written.replayed {
            self.swap_catalog([], std::slice::from_ref(id));
        }
        Ok(written)
    }

    /// Another pod has changed the catalogue.
    pub(crate) async fn reload_catalog(&self, generation: u64) -> Result<(), StoreError> {
        let _one_at_a_time = self.catalog_change.lock().await;
        if self.catalog.load().generation() != generation {
            let (generation, products) = self.store.load_catalog().await?;
            self.catalog.store(Arc::new(Catalog::new(generation, products)));
        }
        Ok(())
    }

    fn swap_catalog(&self, put: impl IntoIterator<Item = Product>, removed: &[ProductId]) {
        self.catalog.store(Arc::new(self.catalog.load().with(put, removed)));
    }

    /// Loads the catalogue again whenever another pod has changed it.
    pub(super) fn follow_catalog(self: Arc<Self>, mut generation: watch::Receiver<u64>) -> JoinHandle<()> {
        tokio::spawn(async move {
            while generation.changed().await.is_ok() {
                let wanted = *generation.borrow_and_update();
                let mut backoff = Backoff::new(RELOAD_PAUSE, RELOAD_PAUSE);
                while let Err(error) = self.reload_catalog(wanted).await {
                    tracing::warn!(%error, "loading the catalogue again failed; retrying");
                    backoff.wait().await;
                }
            }
        })
    }
}
