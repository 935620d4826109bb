//! The whole engine: recovers, starts, answers, stops.

mod catalog;
pub mod orders;
pub mod status;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use metrics::gauge;
use parking_lot::Mutex;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    admission::{AdmissionConfig, AdmissionController},
    background,
    checkout::{CheckoutConfig, coordinator::Coordinator, payments::Payments},
    clock::{Clock, ShopClock},
    commit::{
        Recovered, RecoveryError, WriteBehindConfig,
        group_commit::{LaneHandle, start_lanes},
        recover,
        write_behind::WriteBehind,
    },
    directories::Directories,
    directory::{Directory, Parts, ResidencyConfig, supervisor::Supervisors},
    entity::Resident,
    journal::{Journal, JournalPlacement},
    limits::{DRAIN_PATIENCE, SHOP_TIME_SKEW, STOP_PATIENCE},
    membership::{
        config::FleetConfig, fleet_member::FleetMember, handover::HandoverError, parts::FleetParts,
        shard_contents::LiveShards,
    },
    ownership::{
        routes::{RouteContext, Routes},
        shard_map::ShardMap,
    },
    payment::PaymentGateway,
    peers::{PeerError, Peers, ProbeResponse},
    published::{Answer, Published},
    registry::{Epoch, Member, Registry, RegistryError},
    restock::Restocker,
    store::{Store, StoreError, TableKey},
};
use smartcart_domain::{
    cart::Cart,
    catalog::Catalog,
    id::{IdSecret, IncarnationId},
    idempotency::KeyFingerprint,
    inventory::Stock,
    limits::{Limits, SHARDS},
    peer::{PeerReply, PeerRequest},
    request::{CheckoutRejection, CheckoutRequest, Ordered, RequestError},
    shard::ShardId,
};

/// How an engine is set up; the same for one process and for a pod of a fleet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Config {
    pub limits: Limits,
    pub admission: AdmissionConfig,
    /// Of carts, and of stocks.
    pub residency: ResidencyConfig,
    pub write_behind: WriteBehindConfig,
    pub checkout: CheckoutConfig,
}

/// Why an engine has not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the last run's journal could not be finished: {0}")]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the fleet cannot be joined: {0}")]
    Registry(#[from] RegistryError),
}

/// What a pod needs to be one of many.
pub struct Fleet {
    pub member: Member,
    pub registry: Arc<dyn Registry>,
    pub peers: Arc<dyn Peers>,
    /// Nothing: the journal is beside the tables.
    pub placement: Option<Arc<dyn JournalPlacement>>,
    pub config: FleetConfig,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("member", &self.member).finish_non_exhaustive()
    }
}

/// What an engine is put together from.
struct Assembly {
    incarnation: IncarnationId,
    routes: Routes,
    recovered: Recovered,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    clock: ShopClock,
    gateway: Arc<dyn PaymentGateway>,
}

/// What a stop has left to whoever comes next: nothing of it is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    #[error(
        "{entries} entries are in the journal and not in the tables; the next start, or another pod, brings them there"
    )]
    InJournal { entries: u64 },
    #[error("{shards} shards could not be handed over; another pod takes them over")]
    NotHandedOver { shards: usize },
    #[error("changes whose outcome is not known were never answered: the journal does not answer")]
    Unanswered,
    #[error("{changes} changes of the tables did not finish in time; whether they are made is not known")]
    Changes { changes: usize },
    #[error("changes were refused before the end: {0}")]
    Failed(String),
}

/// A shop's live carts and stocks, or a pod's share of them, with everything that keeps them durable.
pub struct Engine {
    incarnation: IncarnationId,
    limits: Limits,
    clock: ShopClock,
    secret: IdSecret,
    store: Arc<dyn Store>,
    placement: Option<Arc<dyn JournalPlacement>>,
    directories: Directories,
    catalog: Arc<ArcSwap<Catalog>>,
    /// One catalogue change at a time.
    catalog_change: tokio::sync::Mutex<()>,
    coordinator: Arc<Coordinator>,
    restocker: Arc<Restocker>,
    write_behind: Arc<WriteBehind>,
    admission: Arc<AdmissionController>,
    lanes: Arc<[LaneHandle]>,
    supervisors: Arc<Supervisors>,
    routes: Routes,
    /// Nothing: this is the only process of its shop.
    member: Option<FleetMember>,
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
        let clock = ShopClock::starting_at(recovered.shop, clock);
        let parts = Assembly {
            incarnation: IncarnationId::random(),
            routes: Routes { shards: Arc::new(ShardMap::alone()), peers: None },
            recovered,
            journal,
            store,
            clock,
            gateway,
        };
        let engine = Self::assemble(config, parts, None).await?;
        gauge!("smartcart_shards_owned").set(f64::from(SHARDS));
        engine.coordinator.resume_unfinished(None).await?;
        Ok(Arc::new(engine))
    }

    /// Opens as a member of a fleet. It owns nothing before [`Engine::open`].
    pub async fn join(
        config: Config,
        fleet: Fleet,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        gateway: Arc<dyn PaymentGateway>,
    ) -> Result<Arc<Self>, StartError> {
        let base = store.shop_time().await?;
        let clock = ShopClock::starting_at(base, clock).sharing(SHOP_TIME_SKEW);
        fleet.registry.join(&fleet.member, clock.now()).await?;
        if let (true, Some(placement)) = (fleet.member.owns_shards, &fleet.placement) {
            placement.joined();
        }
        let parts = Assembly {
            incarnation: fleet.member.incarnation,
            routes: Routes { shards: Arc::new(ShardMap::in_fleet()), peers: Some(fleet.peers.clone()) },
            recovered: Recovered::default(),
            journal,
            store,
            clock,
            gateway,
        };
        Ok(Arc::new(Self::assemble(config, parts, Some(fleet)).await?))
    }

    /// Takes part in the fleet from now on: others can reach this pod. Returns when every shard is served by somebody.
    pub async fn open(self: &Arc<Self>) {
        let Some(member) = &self.member else { return };
        let mut tasks = member.start();
        tasks.push(self.clone().follow_catalog(member.membership.catalog_generation()));
        self.tasks.lock().extend(tasks);
        member.membership.all_served().await;
    }

    async fn assemble(config: Config, parts: Assembly, fleet: Option<Fleet>) -> Result<Self, StartError> {
        let Assembly { incarnation, routes, recovered, journal, store, clock, gateway } = parts;
        let (generation, products) = store.load_catalog().await?;
        let catalog = Arc::new(ArcSwap::from_pointee(Catalog::new(generation, products)));
        let suspicion_timeout = fleet.as_ref().map(|fleet| fleet.config.suspicion_timeout);
        let admission = Arc::new(AdmissionController::new(config.admission.in_flight, suspicion_timeout));
        let placement = fleet.as_ref().and_then(|fleet| fleet.placement.clone());
        let write_behind = Arc::new(WriteBehind::new(
            config.write_behind,
            journal.clone(),
            placement.clone(),
            store.clone(),
            admission.clone(),
            incarnation,
            clock.clone(),
        ));
        let (lanes, mut tasks) = start_lanes(&journal, incarnation, &write_behind, &admission, &clock);
        let parts = Parts {
            store: store.clone(),
            write_behind: write_behind.clone(),
            lanes: lanes.clone(),
            admission: admission.clone(),
            supervisors: Arc::new(Supervisors::new()),
            clock: clock.clone(),
            limits: config.limits,
            routes: routes.clone(),
        };
        let directories = Directories::new(&parts, config.admission, config.residency);
        let inventory = &directories.inventory;
        let payments = Arc::new(Payments::new(gateway, config.checkout.payment_timeout));
        let coordinator = Arc::new(Coordinator::new(
            directories.clone(),
            write_behind.clone(),
            store.clone(),
            payments,
            catalog.clone(),
            routes.clone(),
            config.checkout.decide_within,
        ));
        let restocker = Arc::new(Restocker::beside(coordinator.clone(), clock.clone()));
        let worker = write_behind.start();
        tasks.extend(directories.sweep(&admission));
        tasks.extend(background::start(&admission, inventory, &coordinator, &restocker, &clock));
        let member = fleet.map(|fleet| {
            let contents = LiveShards {
                directories: directories.clone(),
                coordinator: coordinator.clone(),
                supervisors: parts.supervisors.clone(),
                write_behind: write_behind.clone(),
                admission: admission.clone(),
                resuming: Mutex::default(),
            };
            FleetMember::new(FleetParts {
                me: fleet.member,
                config: fleet.config,
                registry: fleet.registry,
                peers: fleet.peers,
                shards: routes.shards.clone(),
                contents: Arc::new(contents),
                journal,
                placement: fleet.placement,
                store: store.clone(),
                admission: admission.clone(),
                clock: clock.clone(),
                catalog_generation: generation,
            })
        });
        Ok(Self {
            incarnation,
            limits: config.limits,
            clock,
            secret: store.secret().await?,
            store,
            placement,
            directories,
            catalog,
            catalog_change: tokio::sync::Mutex::new(()),
            coordinator,
            restocker,
            write_behind,
            admission,
            lanes,
            supervisors: parts.supervisors,
            routes,
            member,
            tasks: Mutex::new(tasks),
            worker: Mutex::new(Some(worker)),
            recovered,
        })
    }

    pub fn carts(&self) -> &Directory<Cart> {
        &self.directories.carts
    }

    pub fn inventory(&self) -> &Directory<Stock> {
        &self.directories.inventory
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

    pub async fn checkout(
        &self,
        request: CheckoutRequest,
    ) -> Result<Ordered, RequestError<CheckoutRejection>> {
        self.coordinator.checkout(request).await
    }

    fn table_key(&self, key: Option<KeyFingerprint>) -> Option<TableKey> {
        key.map(|guard| TableKey { guard, now: self.clock.wall() })
    }

    /// A request from another pod, which believes that this one owns the shard at `epoch`. `hops` pods have passed it on.
    pub async fn answer(
        &self,
        request: PeerRequest,
        epoch: Epoch,
        hops: u8,
        deadline: Instant,
    ) -> Result<PeerReply, PeerError> {
        let shard = request.shard();
        let not_owner = || Err(PeerError::NotOwner { epoch: self.routes.shards.epoch(shard) });
        // Who stops takes nothing more, and whoever asks too late should hear where the shard has gone.
        if self.admission.is_closed() && !self.routes.shards.is_open(shard) {
            return not_owner();
        }
        let context = RouteContext { epoch, hops, deadline };
        let reply = match request {
            PeerRequest::Cart(id, request) => PeerReply::Cart(
                self.directories.carts.ask_routed(&id, request, context).await.map(Answer::into_changed),
            ),
            PeerRequest::Stock(sku, request) => PeerReply::Stock(
                self.directories.inventory.ask_routed(&sku, request, context).await.map(Answer::into_changed),
            ),
            PeerRequest::ReadCart(id) => {
                PeerReply::CartRead(self.directories.carts.read_routed(&id, context).await.map(view))
            }
            PeerRequest::ReadStock(sku) => {
                PeerReply::StockRead(self.directories.inventory.read_routed(&sku, context).await.map(view))
            }
            PeerRequest::Checkout(request) => {
                PeerReply::Checkout(self.coordinator.checkout_routed(request, context).await)
            }
        };
        if reply.is_not_owner() {
            return not_owner();
        }
        Ok(reply)
    }

    /// What this pod says of itself to a peer.
    pub fn probed(&self, asker: IncarnationId) -> ProbeResponse {
        let membership = self.member.as_ref().map(|member| &member.membership);
        ProbeResponse {
            incarnation: self.incarnation,
            sees_registry: membership.is_some_and(|membership| membership.sees_registry()),
            knows_asker: membership.is_some_and(|membership| membership.confirms_ownership(asker)),
        }
    }

    /// Whether this is the one pod that does what one pod must do for all.
    pub fn is_first(&self) -> bool {
        self.routes.shards.serves(ShardId(0))
    }

    /// Returns when this process can change nothing any more: it must be started again.
    pub async fn failed(&self) -> String {
        self.admission.failed().await;
        self.admission.read_only().unwrap_or_default()
    }

    /// Moves a shard of this pod to another pod, by name. It stays there until pods come or go.
    pub async fn move_shard(&self, shard: ShardId, pod: &str) -> Result<(), HandoverError> {
        let member = self.member.as_ref().ok_or(HandoverError::Refused)?;
        member.move_shard(shard, pod).await
    }

    /// In a fleet: hands every shard over, while requests go on.
    pub async fn leave(&self) {
        let Some(member) = &self.member else { return };
        if let Err(error) = member.drain(DRAIN_PATIENCE).await {
            tracing::warn!(%error, "not every shard could be handed over; the others take over what is left");
        }
    }

    /// No new request is admitted; what was accepted is finished and in the tables. Otherwise the answer says what is left.
    pub async fn stop(&self) -> Result<(), Unfinished> {
        self.admission.close();
        let Some(worker) = self.worker.lock().take() else { return Ok(()) };
        let until = Instant::now() + STOP_PATIENCE;
        while (self.admission.in_flight() > 0 || self.coordinator.under_way() > 0)
            && self.admission.read_only().is_none()
            && Instant::now() < until
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let finished = tokio::time::timeout_at(until, async {
            for lane in self.lanes.iter() {
                lane.barrier().await;
            }
        });
        let unanswered = finished.await.is_err();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            // Aborted on purpose.
            let _aborted = task.await;
        }
        if tokio::time::timeout(STOP_PATIENCE, self.write_behind.stop(worker)).await.is_err() {
            tracing::warn!("the tables do not answer; the journal keeps what they have not got");
        }
        self.supervisors.stop_all();
        self.deregister().await;
        self.unfinished(unanswered).map_or(Ok(()), Err)
    }

    fn unfinished(&self, unanswered: bool) -> Option<Unfinished> {
        let entries = self.write_behind.lag().entries;
        let shards = self.member.as_ref().map_or(0, |_| self.routes.shards.owned().len());
        if entries > 0 {
            Some(Unfinished::InJournal { entries })
        } else if unanswered {
            Some(Unfinished::Unanswered)
        } else if shards > 0 {
            Some(Unfinished::NotHandedOver { shards })
        } else {
            self.admission.read_only().map(Unfinished::Failed)
        }
    }

    /// A member that owns nothing more is forgotten. Otherwise its peers find it silent and finish what it left.
    async fn deregister(&self) {
        let Some(member) = &self.member else { return };
        if self.admission.read_only().is_some() || !self.routes.shards.owned().is_empty() {
            return;
        }
        if let Err(error) = member.deregister().await {
            tracing::warn!(%error, "this pod could not deregister; its peers will declare it dead");
        }
    }
}

fn view<E: Resident>(published: Option<Arc<Published<E>>>) -> Option<E::View> {
    published.map(|published| published.view().clone())
}
