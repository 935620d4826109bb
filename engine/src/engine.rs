//! The whole engine: recovers, starts, answers, stops.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use metrics::gauge;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::{
    background,
    cart::Cart,
    catalog::{Catalog, Product},
    checkout::{CheckoutRejection, CheckoutRequest, Coordinator, Ordered, PaymentGateway},
    commit::{
        Lag, LaneHandle, Recovered, RecoveryError, WriteBehind, WriteBehindConfig, recover, start_lanes,
    },
    directory::{
        AdmissionConfig, Directory, Gate, HotKey, Parts, Refusal, ResidencyConfig, ShardResidents,
        Supervisors,
    },
    id::{IdSecret, IncarnationId, OrderId, ProductId},
    idempotency::KeyGuard,
    inventory::Stock,
    journal::Journal,
    limits::{Limits, SHARDS},
    orders::{ForbiddenTransition, Order, OrderStatus},
    restock::Restocker,
    store::{Store, StoreError, TableKey, Written},
    time::{Clock, ShopClock},
};

/// How long a stop waits for what was accepted.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, Default)]
pub struct Config {
    pub limits: Limits,
    pub admission: AdmissionConfig,
    /// Of carts, and of stocks.
    pub residency: ResidencyConfig,
    pub write_behind: WriteBehindConfig,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the last run's journal could not be finished: {0}")]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum OrderFailure {
    #[error("there is no such order")]
    NotFound,
    #[error(transparent)]
    Forbidden(#[from] ForbiddenTransition),
    #[error("the order is at version {version}")]
    Stale { version: u64 },
    #[error(transparent)]
    Store(StoreError),
}

/// What an operator asks first.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Status {
    pub incarnation: String,
    pub store: &'static str,
    /// Why changes are refused, when they are.
    pub read_only: Option<String>,
    pub requests_in_flight: usize,
    pub checkouts_under_way: usize,
    pub tables_behind: Lag,
    pub products: usize,
    pub shards_owned: u16,
    pub recovered_entries: u64,
}

/// One shard, and who lives in it.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct ShardStatus {
    pub shard: u16,
    pub carts: ShardResidents,
    pub stocks: ShardResidents,
}

pub struct Engine {
    incarnation: IncarnationId,
    limits: Limits,
    clock: ShopClock,
    secret: IdSecret,
    store: Arc<dyn Store>,
    carts: Arc<Directory<Cart>>,
    inventory: Arc<Directory<Stock>>,
    catalog: Arc<ArcSwap<Catalog>>,
    /// One catalogue change at a time.
    catalog_change: tokio::sync::Mutex<()>,
    coordinator: Arc<Coordinator>,
    restocker: Arc<Restocker>,
    write_behind: Arc<WriteBehind>,
    gate: Arc<Gate>,
    lanes: Arc<[LaneHandle]>,
    supervisors: Arc<Supervisors>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// The write-behind's.
    worker: Mutex<Option<JoinHandle<()>>>,
    recovered: Recovered,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("incarnation", &self.incarnation).finish_non_exhaustive()
    }
}

impl Engine {
    /// Finishes what the last run left in its journal, then opens as a new incarnation.
    pub async fn start(
        config: Config,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        gateway: Arc<dyn PaymentGateway>,
    ) -> Result<Arc<Self>, StartError> {
        let recovered = recover(&*journal, &*store).await?;
        if recovered.incarnations > 0 {
            tracing::info!(
                entries = recovered.entries,
                entities = recovered.entities,
                "finished the last run's journal"
            );
        }
        let (generation, products) = store.load_catalog().await?;
        let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(generation, products)));
        let incarnation = IncarnationId::random();
        let clock = ShopClock::starting_at(recovered.shop, clock);
        let gate = Arc::new(Gate::new(config.admission.in_flight));
        let write_behind = Arc::new(WriteBehind::new(
            config.write_behind,
            journal.clone(),
            store.clone(),
            gate.clone(),
            incarnation,
            clock.clone(),
        ));
        let (lanes, mut tasks) = start_lanes(&journal, incarnation, &write_behind, &gate, &clock);
        let parts = Parts {
            store: store.clone(),
            write_behind: write_behind.clone(),
            lanes: lanes.clone(),
            gate: gate.clone(),
            supervisors: Arc::new(Supervisors::new()),
            clock: clock.clone(),
            limits: config.limits,
        };
        let AdmissionConfig { per_cart, per_stock, deadline, .. } = config.admission;
        let carts = Arc::new(Directory::new(&parts, per_cart, deadline, config.residency));
        let inventory = Arc::new(Directory::new(&parts, per_stock, deadline, config.residency));
        let coordinator = Arc::new(Coordinator::new(
            carts.clone(),
            inventory.clone(),
            write_behind.clone(),
            store.clone(),
            gateway.clone(),
            catalog.clone(),
        ));
        let restocker = Arc::new(Restocker::new(inventory.clone(), store.clone(), gateway));
        let worker = write_behind.start();
        tasks.push(background::sweep(carts.clone()));
        tasks.push(background::sweep(inventory.clone()));
        tasks.push(background::expire_holds(inventory.clone(), coordinator.clone(), clock.clone()));
        tasks.push(background::restock(restocker.clone()));
        gauge!("smartcart_shards_owned").set(f64::from(SHARDS));
        let engine = Self {
            incarnation,
            limits: config.limits,
            clock,
            secret: store.secret().await?,
            store,
            carts,
            inventory,
            catalog,
            catalog_change: tokio::sync::Mutex::new(()),
            coordinator,
            restocker,
            write_behind,
            gate,
            lanes,
            supervisors: parts.supervisors,
            tasks: Mutex::new(tasks),
            worker: Mutex::new(Some(worker)),
            recovered,
        };
        engine.wake_unfinished().await?;
        Ok(Arc::new(engine))
    }

    /// Checkouts that were under way go on; SKUs with holds come into memory, so that their time runs.
    async fn wake_unfinished(&self) -> Result<(), StoreError> {
        let holds = self.store.stocks_with_holds().await?;
        for sku in &holds {
            self.inventory.read(sku).await.map_err(|error| StoreError::Unavailable(error.0))?;
        }
        let checkouts = self.store.carts_checking_out().await?;
        for cart in &checkouts {
            self.coordinator.resume_cart(*cart).await;
        }
        if !checkouts.is_empty() {
            tracing::info!(checkouts = checkouts.len(), "checkouts under way go on");
        }
        Ok(())
    }

    pub fn carts(&self) -> &Directory<Cart> {
        &self.carts
    }

    pub fn inventory(&self) -> &Directory<Stock> {
        &self.inventory
    }

    /// The catalogue as it is now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub const fn clock(&self) -> &ShopClock {
        &self.clock
    }

    pub const fn secret(&self) -> &IdSecret {
        &self.secret
    }

    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub async fn checkout(&self, request: CheckoutRequest) -> Result<Ordered, Refusal<CheckoutRejection>> {
        self.coordinator.checkout(request).await
    }

    fn table_key(&self, key: Option<KeyGuard>) -> Option<TableKey> {
        key.map(|guard| TableKey { guard, now: self.clock.wall() })
    }

    pub async fn put_product(
        &self,
        product: &Product,
        expected: Option<u64>,
        key: Option<KeyGuard>,
    ) -> Result<Written<Product>, StoreError> {
        let _one_at_a_time = self.catalog_change.lock().await;
        let written = self.store.put_product(product, expected, self.table_key(key)).await?;
        self.swap_catalog([written.value.clone()], &[]);
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
        key: Option<KeyGuard>,
    ) -> Result<Written<()>, StoreError> {
        let _one_at_a_time = self.catalog_change.lock().await;
        let written = self.store.delete_product(id, expected, self.table_key(key)).await?;
        if !written.replayed {
            self.swap_catalog([], std::slice::from_ref(id));
        }
        Ok(written)
    }

    fn swap_catalog(&self, put: impl IntoIterator<Item = Product>, removed: &[ProductId]) {
        self.catalog.store(Arc::new(self.catalog.load().with(put, removed)));
    }

    /// The order's next state. A cancelled order's units are back on their shelves when this answers, or soon after.
    pub async fn transition_order(
        &self,
        id: OrderId,
        to: OrderStatus,
        expected: Option<u64>,
        key: Option<KeyGuard>,
    ) -> Result<Written<Order>, OrderFailure> {
        let key = self.table_key(key);
        if let Some(key) = key
            && let Some(order) = self.store.order_of_key(key).await.map_err(OrderFailure::from)?
        {
            return Ok(Written { value: order, replayed: true });
        }
        let order = self.store.order(id).await?.ok_or(OrderFailure::NotFound)?;
        if expected.is_some_and(|expected| expected != order.version) {
            return Err(OrderFailure::Stale { version: order.version });
        }
        let next = order.transition(to, self.clock.wall())?;
        let written = self.store.transition_order(&next, key).await?;
        if to == OrderStatus::Cancelled {
            self.restocker.restock(&written.value).await;
        }
        Ok(written)
    }

    pub fn status(&self) -> Status {
        Status {
            incarnation: self.incarnation.to_string(),
            store: self.store.name(),
            read_only: self.gate.read_only(),
            requests_in_flight: self.gate.in_flight(),
            checkouts_under_way: self.coordinator.under_way(),
            tables_behind: self.write_behind.lag(),
            products: self.catalog.load().len(),
            shards_owned: SHARDS,
            recovered_entries: self.recovered.entries,
        }
    }

    pub fn shards(&self) -> Vec<ShardStatus> {
        (0..SHARDS)
            .zip(self.carts.residents().into_iter().zip(self.inventory.residents()))
            .map(|(shard, (carts, stocks))| ShardStatus { shard, carts, stocks })
            .collect()
    }

    /// The entities that were asked most in the last seconds.
    pub fn hot_keys(&self) -> Vec<HotKey> {
        const MOST: usize = 20;
        let mut hot = self.carts.hot_keys(MOST);
        hot.extend(self.inventory.hot_keys(MOST));
        hot.sort_by_key(|key| std::cmp::Reverse(key.requests));
        hot.truncate(MOST);
        hot
    }

    /// No new request is admitted; what was accepted is finished and in the tables.
    pub async fn stop(&self) {
        self.gate.close();
        let Some(worker) = self.worker.lock().take() else { return };
        let until = Instant::now() + STOP_PATIENCE;
        while (self.gate.in_flight() > 0 || self.coordinator.under_way() > 0) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for lane in self.lanes.iter() {
            lane.barrier().await;
        }
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            // Aborted on purpose.
            let _aborted = task.await;
        }
        self.write_behind.stop(worker).await;
        self.supervisors.stop();
    }
}

impl From<StoreError> for OrderFailure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Stale { version } => Self::Stale { version },
            other => Self::Store(other),
        }
    }
}
