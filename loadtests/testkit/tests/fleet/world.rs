//! The fleet's database and network, and the pods that clients may ask.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rand::seq::IndexedRandom as _;
use smartcart_domain::{
    catalog::Product,
    id::{IncarnationId, Sku},
    idempotency::Caller,
    inventory::StockCommand,
    money::Money,
    request::Request,
    shard::ShardId,
};
use smartcart_engine::{registry::Registry as _, store::CatalogStore as _};
use smartcart_testkit::{
    memory::{Database, MemoryRegistry, MemoryStore, Network, fixtures::single_variant_product},
    random::Rng,
};

use crate::pod::{Pod, Roughness};

pub(crate) const SKUS: [&str; 3] = ["mug", "pot", "tin"];
/// Units of each SKU at the beginning.
pub(crate) const STOCKED: i64 = 30;

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) network: Network,
    /// Behind the load balancer.
    pub(crate) pods: Mutex<Vec<Arc<Pod>>>,
    /// Faults that pods have suffered which clients ask no more.
    gone: AtomicU64,
}

pub(crate) fn sku(name: &str) -> Sku {
    name.parse().unwrap()
}

impl World {
    /// A database and a network, and nobody there.
    pub(crate) fn empty() -> Self {
        Self {
            database: Database::default(),
            network: Network::default(),
            pods: Mutex::default(),
            gone: AtomicU64::new(0),
        }
    }

    /// Three pods that serve every shard, and full shelves.
    pub(crate) async fn open(rng: &mut Rng, rough: Roughness) -> Arc<Self> {
        let world = Self::empty();
        let products: Vec<_> = SKUS.iter().map(|name| product(name)).collect();
        MemoryStore::new(&world.database, None).put_products(&products).await.unwrap();
        for name in ["a", "b", "c"] {
            let pod = Pod::join(&world, name, rng, rough).await;
            world.pods.lock().push(pod);
        }
        let [a, b, c] = [0, 1, 2].map(|place| world.pods.lock()[place].clone());
        tokio::join!(a.engine.open(), b.engine.open(), c.engine.open());
        for name in SKUS {
            world.stock(name).await;
        }
        Arc::new(world)
    }

    async fn stock(&self, name: &str) {
        loop {
            let command = StockCommand::SetOnHand { on_hand: STOCKED };
            let request =
                Request { command, caller: Caller::Service, key: None, expected: None, fresh: false };
            let pod = self.pods.lock()[0].clone();
            if pod.engine.inventory().ask(&sku(name), request).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn any_pod(&self, rng: &mut Rng) -> Arc<Pod> {
        self.pods.lock().choose(rng).unwrap().clone()
    }

    /// Clients ask it no more.
    pub(crate) fn take_out(&self, pod: &Arc<Pod>) {
        self.gone.fetch_add(pod.struck(), Ordering::Relaxed);
        self.pods.lock().retain(|other| !Arc::ptr_eq(other, pod));
    }

    pub(crate) fn put_in(&self, pod: Arc<Pod>) {
        self.pods.lock().push(pod);
    }

    /// Faults that the pods have suffered.
    pub(crate) fn struck(&self) -> u64 {
        let here: u64 = self.pods.lock().iter().map(|pod| pod.struck()).sum();
        here + self.gone.load(Ordering::Relaxed)
    }

    pub(crate) async fn owner(&self, shard: ShardId) -> Option<IncarnationId> {
        let rows = MemoryRegistry::new(&self.database).shards().await.unwrap();
        rows[usize::from(shard.0)].owner
    }
}

fn product(name: &str) -> Product {
    single_variant_product(name, Money::new(250, "GBP".parse().unwrap()))
}
