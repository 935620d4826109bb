//! Keeps this pod a member: beats, keeps its books after the registry, and says when it has been declared dead.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use metrics::gauge;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use super::liveness::Observer;
use crate::ownership::routes::Routes;
use crate::registry::{Beat, Member, MemberState, Registry, RegistryError, ShardRow};
use crate::{
    admission::{AdmissionController, Away},
    checkout::coordinator::Coordinator,
    clock::ShopClock,
    commit::write_behind::WriteBehind,
    directory::{Directory, supervisor::Supervisors},
    journal::Journal,
    limits::{READS_WITHOUT_ASKING, READS_WITHOUT_CONFIRMATION},
    store::Store,
};
use smartcart_domain::{cart::Cart, id::IncarnationId, inventory::Stock, limits::SHARDS, shard::ShardId};

#[derive(Debug, Clone, Copy)]
pub struct FleetConfig {
    /// One beat of a member's counter.
    pub beat: Duration,
    /// A counter that has not moved for this long makes its member suspicious.
    pub silence: Duration,
    /// Members must have been the same for this long before shards are moved to where they should be.
    pub settled: Duration,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            beat: Duration::from_millis(500),
            silence: Duration::from_secs(5),
            settled: Duration::from_secs(2),
        }
    }
}

/// A pod, as this one knows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MemberStatus {
    pub pod: String,
    pub incarnation: String,
    pub address: String,
    pub state: &'static str,
    pub owns_shards: bool,
    pub shards: usize,
}

/// Why a pod's life as a member is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("this incarnation was declared dead: it must start again as a new one")]
    Fenced,
    #[error("{0}")]
    Failed(String),
}

/// What a keeper works with.
pub(crate) struct KeeperParts {
    pub(crate) me: Member,
    pub(crate) config: FleetConfig,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) routes: Routes,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) write_behind: Arc<WriteBehind>,
    pub(crate) carts: Arc<Directory<Cart>>,
    pub(crate) inventory: Arc<Directory<Stock>>,
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) supervisors: Arc<Supervisors>,
    pub(crate) gate: Arc<AdmissionController>,
    pub(crate) clock: ShopClock,
}

pub(crate) struct Keeper {
    pub(super) parts: KeeperParts,
    /// Members as the last beat found them.
    pub(super) members: ArcSwap<Vec<Member>>,
    /// ShardMap as they were then.
    pub(super) rows: ArcSwap<Vec<ShardRow>>,
    pub(super) observer: parking_lot::Mutex<Observer>,
    /// A pod that this one does not know has asked after it, since the registry last answered: who joined meanwhile may
    /// have taken its shards.
    stranger: AtomicBool,
    /// The registry does not answer, and the journal says that it can do without.
    standing: AtomicBool,
    /// Wakes the steward.
    pub(super) news: Notify,
    /// ShardMap are moved by one at a time: the steward, or an operator, or the end.
    pub(super) moving: tokio::sync::Mutex<()>,
    /// The catalogue's generation in the tables.
    pub(crate) catalog: watch::Sender<u64>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("me", &self.parts.me).finish_non_exhaustive()
    }
}

impl Keeper {
    pub(crate) fn new(parts: KeeperParts, catalog_generation: u64) -> Self {
        Self {
            members: ArcSwap::default(),
            rows: ArcSwap::default(),
            observer: parking_lot::Mutex::new(Observer::new(parts.config.silence)),
            stranger: AtomicBool::new(false),
            standing: AtomicBool::new(false),
            news: Notify::new(),
            moving: tokio::sync::Mutex::default(),
            catalog: watch::Sender::new(catalog_generation),
            parts,
        }
    }

    pub(crate) fn members(&self) -> Arc<Vec<Member>> {
        self.members.load_full()
    }

    /// Whether, as far as this pod knows, the one who asks after it is a living member, and stays one for as long as its
    /// readers go by this answer.
    pub(crate) fn knows(&self, asker: IncarnationId) -> bool {
        let members = self.members();
        let asking = members.iter().find(|member| member.incarnation == asker);
        if asking.is_none() {
            self.stranger.store(true, Ordering::SeqCst);
        }
        asking.is_some_and(|member| {
            let observer = self.observer.lock();
            member.state != MemberState::Dead
                && !observer.is_close_to_suspicion(member, READS_WITHOUT_CONFIRMATION, Instant::now())
        })
    }

    /// Whether the registry has answered lately.
    pub(crate) fn sees_registry(&self) -> bool {
        self.parts.routes.shards.unconfirmed_for() <= READS_WITHOUT_CONFIRMATION
    }

    /// Beats until this incarnation is over.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            let began = Instant::now();
            let round = tokio::time::timeout(READS_WITHOUT_CONFIRMATION, self.round()).await;
            match round {
                Ok(Ok(())) => {}
                Ok(Err(RegistryError::Fenced)) => {
                    self.parts.gate.fail_stop(&Lost::Fenced.to_string());
                    return;
                }
                Ok(Err(error)) => self.unanswered(&error.to_string()).await,
                Err(_) => self.unanswered("no answer in time").await,
            }
            let next = began + self.parts.config.beat;
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = self.parts.registry.changed() => {}
                () = self.parts.routes.shards.stale.notified() => {}
            }
        }
    }

    async fn round(self: &Arc<Self>) -> Result<(), RegistryError> {
        // What the answer says was true after this moment.
        let asked = Instant::now();
        let beat = self.parts.registry.beat(self.parts.me.incarnation, self.parts.clock.now()).await?;
        let rows = self.parts.registry.shards().await?;
        self.parts.routes.shards.confirm(asked);
        self.stranger.store(false, Ordering::SeqCst);
        self.parts.gate.set_away(Away::Registry, false);
        self.learn(beat, asked);
        let kept = self.keep_books(&rows);
        self.rows.store(Arc::new(rows));
        self.news.notify_one();
        kept
    }

    fn learn(&self, beat: Beat, asked: Instant) {
        self.parts.clock.follow(beat.shop);
        self.observer.lock().observe(&beat.members, asked);
        self.catalog.send_if_modified(|known| {
            std::mem::replace(known, beat.catalog_generation) != beat.catalog_generation
        });
        self.members.store(Arc::new(beat.members));
    }

    /// The shards as the registry has them.
    pub(super) fn keep_books(self: &Arc<Self>, rows: &[ShardRow]) -> Result<(), RegistryError> {
        let shards = &self.parts.routes.shards;
        let members = self.members();
        let mut opened = Vec::new();
        for row in rows {
            if row.owner == Some(self.parts.me.incarnation) {
                if shards.open(row.shard, row.epoch) {
                    opened.push(row.shard);
                }
                continue;
            }
            let owner = row.owner.and_then(|owner| {
                members.iter().find(|member| member.incarnation == owner && member.state != MemberState::Dead)
            });
            if !shards.learn(row.shard, row.epoch, owner.cloned().map(Arc::new)) {
                tracing::error!(shard = row.shard.0, "a shard was taken from this pod");
                return Err(RegistryError::Fenced);
            }
        }
        shards.tell();
        self.opened(opened);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!("smartcart_shards_owned").set(shards.owned().len() as f64);
        Ok(())
    }

    /// What was under way in shards that are new here goes on.
    fn opened(self: &Arc<Self>, opened: Vec<ShardId>) {
        if opened.is_empty() {
            return;
        }
        tracing::info!(shards = opened.len(), "shards opened");
        let this = self.clone();
        tokio::spawn(async move { this.wake(&opened).await });
    }

    async fn wake(self: &Arc<Self>, opened: &[ShardId]) {
        let mut pause = Duration::from_millis(50);
        while let Err(error) = self.parts.coordinator.wake_unfinished(Some(opened)).await {
            tracing::warn!(%error, "what was under way in new shards cannot be looked up yet");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// The registry does not answer: nobody is accused. Readers are served while every peer says that it has not declared
    /// this pod dead, or cannot have.
    async fn unanswered(&self, why: &str) {
        if self.parts.routes.shards.unconfirmed_for() > READS_WITHOUT_CONFIRMATION
            && !self.standing.load(Ordering::SeqCst)
        {
            self.parts.gate.set_away(Away::Registry, true);
        }
        tracing::warn!(why, "the registry does not answer");
        let asked = Instant::now();
        let Some(peers) = &self.parts.routes.peers else { return };
        let members = self.members();
        let others = members.iter().filter(|member| member.incarnation != self.parts.me.incarnation);
        let asking = others.map(|member| peers.probe(member, self.parts.me.incarnation));
        let all = futures_util::future::join_all(asking).await;
        let known = all.iter().all(|probed| probed.as_ref().is_ok_and(|probed| probed.knows_asker));
        if known && !self.stranger.load(Ordering::SeqCst) {
            self.parts.routes.shards.confirm_readers(asked);
        }
    }

    /// Without the registry, carts and holds go on while the journal itself can say that nobody has declared this pod dead:
    /// whoever takes its shards has sealed it first.
    async fn stand(self: Arc<Self>) {
        while self.parts.gate.read_only().is_none() {
            tokio::time::sleep(self.parts.config.beat).await;
            if self.parts.routes.shards.unconfirmed_for() <= self.parts.config.beat * 2 {
                self.standing.store(false, Ordering::SeqCst);
                continue;
            }
            let asked = Instant::now();
            let stands = self.parts.journal.vouches_for(self.parts.me.incarnation).await;
            let earlier = READS_WITHOUT_CONFIRMATION - READS_WITHOUT_ASKING;
            if stands && let Some(confirmed) = asked.checked_sub(earlier) {
                self.parts.routes.shards.confirm_readers(confirmed);
            }
            self.standing.store(stands, Ordering::SeqCst);
            let unconfirmed = self.parts.routes.shards.unconfirmed_for() > READS_WITHOUT_CONFIRMATION;
            self.parts.gate.set_away(Away::Registry, unconfirmed && !stands);
        }
    }

    pub(crate) fn pod(&self) -> &str {
        &self.parts.me.pod
    }

    /// The pod that has a shard.
    pub(crate) fn owner_name(&self, shard: ShardId) -> Option<String> {
        let shards = &self.parts.routes.shards;
        if shards.serves(shard) {
            return Some(self.parts.me.pod.clone());
        }
        shards.owner(shard).map(|member| member.pod.clone())
    }

    pub(crate) fn member_statuses(&self) -> Vec<MemberStatus> {
        let mut counts: HashMap<IncarnationId, usize> = HashMap::new();
        for shard in (0..SHARDS).map(ShardId) {
            let foreign = self.parts.routes.shards.owner(shard).map(|member| member.incarnation);
            let mine = self.parts.routes.shards.serves(shard).then_some(self.parts.me.incarnation);
            if let Some(owner) = mine.or(foreign) {
                *counts.entry(owner).or_default() += 1;
            }
        }
        let status = |member: &Member| MemberStatus {
            pod: member.pod.clone(),
            incarnation: member.incarnation.to_string(),
            address: member.address.clone(),
            state: member.state.as_str(),
            owns_shards: member.owns_shards,
            shards: counts.get(&member.incarnation).copied().unwrap_or_default(),
        };
        self.members.load().iter().map(status).collect()
    }

    pub(crate) async fn part(&self) -> Result<(), RegistryError> {
        self.parts.registry.part(self.parts.me.incarnation).await
    }

    /// The tasks of a member.
    pub(crate) fn start(self: &Arc<Self>) -> [JoinHandle<()>; 3] {
        [
            tokio::spawn(self.clone().keep()),
            tokio::spawn(self.clone().stand()),
            tokio::spawn(self.clone().steward()),
        ]
    }

    /// Returns when every shard has an owner that this pod knows.
    pub(crate) async fn all_served(&self) {
        while !self.parts.routes.shards.all_served() {
            self.parts.routes.shards.newer_map(self.parts.config.beat).await;
        }
    }
}
