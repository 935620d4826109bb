//! The shop's catalogue: a snapshot that readers share, changed in the tables first.
//!
//! Memory at generation N is what the tables had at N: it takes a change's own values only when it was at N - 1, and is loaded
//! anew otherwise. A replay, which may come with values of long ago, changes nothing but what memory has missed.

use std::{sync::Arc, time::Duration};

use arc_swap::Guard;
use tokio::{sync::watch, task::JoinHandle};

use super::Engine;
use crate::{
    backoff::Backoff,
    guarded::spawn_guarded,
    store::{CatalogWritten, ImportedRow, StoreError, Written},
};
use smartcart_domain::{
    catalog::{Catalog, Product},
    failure::Effect,
    id::ProductId,
    idempotency::KeyFingerprint,
};

/// Between two attempts to load the catalogue.
const RELOAD_PAUSE: Duration = Duration::from_millis(500);

/// Changes return when readers of this pod see them. Whoever asks for one sees to it that it is not dropped half-way.
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
        self: &Arc<Self>,
        product: &Product,
        expected: Option<u64>,
        key: Option<KeyFingerprint>,
    ) -> Result<Written<Product>, StoreError> {
        let key = self.table_key(key);
        let change = self.store.put_product(product, expected, key);
        let written = self.change_catalog(change, |written| {
            let put = (!written.replayed).then(|| vec![written.value.clone()]);
            (written.generation, put.map(|put| (put, Vec::new())))
        });
        let CatalogWritten { value, replayed, .. } = written.await?;
        Ok(Written { value, replayed })
    }

    /// Each product stands for itself.
    pub async fn put_products(
        self: &Arc<Self>,
        products: &[Product],
    ) -> Result<Vec<ImportedRow>, StoreError> {
        let imported = self.change_catalog(self.store.put_products(products), |imported| {
            let written = imported.rows.iter().filter_map(|row| match row {
                ImportedRow::Written(product) => Some(product.clone()),
                ImportedRow::Unchanged | ImportedRow::Refused(_) => None,
            });
            let put: Vec<Product> = written.collect();
            (imported.generation, (!put.is_empty()).then_some((put, Vec::new())))
        });
        imported.await.map(|imported| imported.rows)
    }

    pub async fn delete_product(
        self: &Arc<Self>,
        id: &ProductId,
        expected: Option<u64>,
        key: Option<KeyFingerprint>,
    ) -> Result<Written<()>, StoreError> {
        let key = self.table_key(key);
        let change = self.store.delete_product(id, expected, key);
        let written = self.change_catalog(change, |written| {
            let removed = (!written.replayed).then(|| vec![id.clone()]);
            (written.generation, removed.map(|removed| (Vec::new(), removed)))
        });
        written.await.map(|written| Written { value: (), replayed: written.replayed })
    }

    /// Changes the tables, and then memory: by what `effect` says that the change did, if it did anything, when memory was just
    /// one generation behind.
    async fn change_catalog<T>(
        self: &Arc<Self>,
        change: impl Future<Output = Result<T, StoreError>>,
        effect: impl FnOnce(&T) -> (u64, Option<(Vec<Product>, Vec<ProductId>)>),
    ) -> Result<T, StoreError> {
        let one_at_a_time = self.catalog_change.lock().await;
        let changed = change.await.inspect_err(|error| self.follow_if_unknown(error))?;
        let (generation, diff) = effect(&changed);
        let catalog = self.catalog.load_full();
        match diff {
            Some((put, removed)) if catalog.generation() + 1 == generation => {
                self.catalog.store(Arc::new(catalog.with(generation, put, &removed)));
            }
            Some(_) | None => {
                drop(one_at_a_time);
                self.load_unless(|known| known >= generation).await;
            }
        }
        Ok(changed)
    }

    /// A change whose outcome is not known may have been made.
    fn follow_if_unknown(self: &Arc<Self>, error: &StoreError) {
        if let StoreError::Failed(failure) = error
            && failure.effect == Effect::Indeterminate
        {
            let this = self.clone();
            tokio::spawn(async move { this.load_unless(|_| false).await });
        }
    }

    /// Loads the catalogue, unless memory has a generation that will do. Tries until the tables can be read, or the process stops.
    async fn load_unless(&self, will_do: impl Fn(u64) -> bool) {
        let mut backoff = Backoff::new(RELOAD_PAUSE, RELOAD_PAUSE);
        while !self.admission.is_closed() {
            {
                let _one_at_a_time = self.catalog_change.lock().await;
                if will_do(self.catalog.load().generation()) {
                    return;
                }
                match self.store.load_catalog().await {
                    Ok((generation, products)) => {
                        self.catalog.store(Arc::new(Catalog::new(generation, products)));
                        return;
                    }
                    Err(error) => tracing::warn!(%error, "loading the catalogue again failed; retrying"),
                }
            }
            backoff.wait().await;
        }
    }

    /// Loads the catalogue again whenever another pod has changed it.
    pub(super) fn follow_catalog(self: Arc<Self>, mut generation: watch::Receiver<u64>) -> JoinHandle<()> {
        spawn_guarded("the watch of the catalogue", &self.admission.clone(), async move {
            while generation.changed().await.is_ok() {
                let wanted = *generation.borrow_and_update();
                self.load_unless(|known| known == wanted).await;
            }
        })
    }
}
