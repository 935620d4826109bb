//! All kinds of live entities: what is done to each of them is done here, so that the compiler names every place when
//! there is one kind more.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::{
    admission::{AdmissionConfig, AdmissionController},
    directory::{Directory, HotKey, Parts, ResidencyConfig, ShardResidents},
    entity::Resident,
    guarded::spawn_guarded,
};
use smartcart_domain::{cart::Cart, inventory::Stock, shard::ShardId};

/// The directory of each kind. Whatever goes through all of them takes this apart completely, with no `..`.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    pub(crate) carts: Arc<Directory<Cart>>,
    pub(crate) inventory: Arc<Directory<Stock>>,
}

impl Directories {
    pub(crate) fn new(parts: &Parts, admission: AdmissionConfig, residency: ResidencyConfig) -> Self {
        let AdmissionConfig { in_flight: _, per_cart, per_stock, deadline } = admission;
        Self {
            carts: Arc::new(Directory::new(parts, per_cart, deadline, residency)),
            inventory: Arc::new(Directory::new(parts, per_stock, deadline, residency)),
        }
    }

    /// Nothing of the shard stays in memory: when it comes back, what was kept would be served stale.
    pub(crate) async fn clear(&self, shard: ShardId) {
        let Self { carts, inventory } = self;
        carts.clear(shard).await;
        inventory.clear(shard).await;
    }

    /// The tasks that passivate and evict what is idle.
    pub(crate) fn sweep(&self, admission: &Arc<AdmissionController>) -> Vec<JoinHandle<()>> {
        let Self { carts, inventory } = self;
        vec![sweep(admission, carts.clone()), sweep(admission, inventory.clone())]
    }

    /// Entities of the shard that are in memory.
    pub(crate) fn residents_of(&self, shard: ShardId) -> usize {
        let Self { carts, inventory } = self;
        carts.residents_of(shard) + inventory.residents_of(shard)
    }

    /// Each shard's carts and stocks in memory, shard by shard.
    pub(crate) fn residents(&self) -> impl Iterator<Item = (ShardResidents, ShardResidents)> + use<> {
        let Self { carts, inventory } = self;
        carts.residents().into_iter().zip(inventory.residents())
    }

    /// The entities that were asked most in the last seconds, of whatever kind.
    pub(crate) fn hot_keys(&self, most: usize) -> Vec<HotKey> {
        let Self { carts, inventory } = self;
        let mut hot = [carts.hot_keys(most), inventory.hot_keys(most)].concat();
        hot.sort_by_key(|key| std::cmp::Reverse(key.requests));
        hot.truncate(most);
        hot
    }
}

fn sweep<E: Resident>(admission: &Arc<AdmissionController>, directory: Arc<Directory<E>>) -> JoinHandle<()> {
    spawn_guarded("the sweep of idle entities", admission, async move {
        loop {
            tokio::time::sleep(directory.sweep_interval()).await;
            directory.sweep();
        }
    })
}
