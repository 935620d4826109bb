//! This pod as a member: it sends heartbeats, keeps the shard map after the registry, and stops when it was declared dead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use metrics::gauge;
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use super::{
    config::FleetConfig,
    failure_detector::{FailureDetector, Suspect},
    journal_confirmation::JournalConfirmation,
    parts::FleetParts,
};
use crate::{
    admission::Away,
    limits::READS_WITHOUT_CONFIRMATION,
    registry::{Heartbeat, Member, MemberState, RegistryError, ShardRow},
};
use smartcart_domain::{failure::Failure, id::IncarnationId, shard::ShardId};

pub(crate) struct Membership {
    parts: Arc<FleetParts>,
    journal_confirmation: Arc<JournalConfirmation>,
    /// As the last heartbeat found them.
    members: ArcSwap<Vec<Member>>,
    rows: ArcSwap<Vec<ShardRow>>,
    failure_detector: Mutex<FailureDetector>,
    /// The failure detector's moments count from here.
    started: Instant,
    /// A pod that this one does not know has asked after it, since the registry last answered: who joined meanwhile may
    /// have taken its shards.
    unknown_peer: AtomicBool,
    /// Each answer of the registry.
    updated: watch::Sender<()>,
    /// The catalogue's generation in the tables.
    catalog: watch::Sender<u64>,
}

impl Membership {
    pub(crate) fn new(parts: Arc<FleetParts>, journal_confirmation: Arc<JournalConfirmation>) -> Self {
        let FleetConfig { heartbeat_interval, suspicion_timeout, .. } = parts.config;
        let failure_detector = FailureDetector::new(parts.me.clone(), heartbeat_interval, suspicion_timeout);
        Self {
            members: ArcSwap::default(),
            rows: ArcSwap::default(),
            failure_detector: Mutex::new(failure_detector),
            started: Instant::now(),
            unknown_peer: AtomicBool::new(false),
            updated: watch::Sender::new(()),
            catalog: watch::Sender::new(parts.catalog_generation),
            parts,
            journal_confirmation,
        }
    }

    pub(crate) fn me(&self) -> &Member {
        &self.parts.me
    }

    pub(crate) fn members(&self) -> Arc<Vec<Member>> {
        self.members.load_full()
    }

    pub(crate) fn rows(&self) -> Arc<Vec<ShardRow>> {
        self.rows.load_full()
    }

    /// Changes with each answer of the registry.
    pub(crate) fn updates(&self) -> watch::Receiver<()> {
        self.updated.subscribe()
    }

    /// Does something until this incarnation is over; then drops it, wherever it is.
    pub(crate) async fn while_member(&self, doing: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = self.parts.admission.failed() => {}
            () = doing => {}
        }
    }

    pub(crate) fn catalog_generation(&self) -> watch::Receiver<u64> {
        self.catalog.subscribe()
    }

    pub(crate) fn suspects(&self) -> Vec<Suspect> {
        self.failure_detector.lock().suspects(&self.members.load(), self.started.elapsed())
    }

    /// Whether, as far as this pod knows, the one who asks after it is a living member, and stays one for as long as its
    /// readers go by this answer.
    pub(crate) fn confirms_ownership(&self, asker: IncarnationId) -> bool {
        let members = self.members();
        let Some(asking) = members.iter().find(|member| member.incarnation == asker) else {
            self.unknown_peer.store(true, Ordering::SeqCst);
            return false;
        };
        let detector = self.failure_detector.lock();
        let now = self.started.elapsed();
        asking.state != MemberState::Dead
            && !detector.is_close_to_suspicion(asking, READS_WITHOUT_CONFIRMATION, now)
    }

    /// Whether the registry has answered lately.
    pub(crate) fn sees_registry(&self) -> bool {
        self.parts.shards.confirmation.age() <= READS_WITHOUT_CONFIRMATION
    }

    /// Sends heartbeats until this incarnation is over.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let began = Instant::now();
            match tokio::time::timeout(READS_WITHOUT_CONFIRMATION, self.round()).await {
                Ok(Ok(())) => {}
                Ok(Err(RegistryError::Failed(failure))) if failure.is_fenced() => {
                    self.parts.admission.fail_stop(&failure.reason);
                    return;
                }
                Ok(Err(error)) => self.unanswered(&error.to_string()).await,
                Err(_) => self.unanswered("no answer in time").await,
            }
            let next = began + self.parts.config.heartbeat_interval;
            tokio::select! {
                () = self.parts.admission.failed() => return,
                () = tokio::time::sleep_until(next) => {}
                () = self.parts.registry.changed() => {}
                () = self.parts.shards.stale.notified() => {}
            }
        }
    }

    async fn round(&self) -> Result<(), RegistryError> {
        // What the answer says was true after this moment.
        let asked = Instant::now();
        let heartbeat =
            self.parts.registry.heartbeat(self.parts.me.incarnation, self.parts.clock.now()).await?;
        let rows = self.parts.registry.shards().await?;
        self.unknown_peer.store(false, Ordering::SeqCst);
        self.parts.admission.set_away(Away::Registry, false);
        self.apply_heartbeat(heartbeat, asked);
        let applied = self.apply_rows(&rows);
        if applied.is_ok() {
            self.parts.shards.confirmation.by_registry(asked);
        }
        self.rows.store(Arc::new(rows));
        self.updated.send_replace(());
        applied
    }

    fn apply_heartbeat(&self, heartbeat: Heartbeat, asked: Instant) {
        self.parts.clock.follow(heartbeat.shop);
        let asked = asked.saturating_duration_since(self.started);
        self.failure_detector.lock().observe(&heartbeat.members, asked);
        self.catalog.send_if_modified(|known| {
            std::mem::replace(known, heartbeat.catalog_generation) != heartbeat.catalog_generation
        });
        self.members.store(Arc::new(heartbeat.members));
    }

    /// The shard map after the registry's rows.
    pub(crate) fn apply_rows(&self, rows: &[ShardRow]) -> Result<(), RegistryError> {
        let shards = &self.parts.shards;
        let members = self.members();
        let mut acquired = Vec::new();
        for row in rows {
            if row.owner == Some(self.parts.me.incarnation) {
                if shards.acquire(row.shard, row.epoch) {
                    acquired.push(row.shard);
                }
                continue;
            }
            let owner = row.owner.and_then(|owner| {
                members.iter().find(|member| member.incarnation == owner && member.state != MemberState::Dead)
            });
            if shards.learn(row.shard, row.epoch, owner.cloned().map(Arc::new)).is_err() {
                tracing::error!(shard = row.shard.0, "a shard was taken from this pod");
                return Err(Failure::fenced().into());
            }
        }
        shards.announce();
        self.resume(acquired);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!("smartcart_shards_owned").set(shards.owned().len() as f64);
        Ok(())
    }

    /// What was under way in shards that are new here goes on.
    fn resume(&self, acquired: Vec<ShardId>) {
        if !acquired.is_empty() {
            tracing::info!(shards = acquired.len(), "shards acquired");
            self.parts.contents.resume(acquired);
        }
    }

    /// The registry does not answer: nobody is suspected. Readers are served while every peer says that it has not
    /// declared this pod dead, or cannot have.
    async fn unanswered(&self, why: &str) {
        if !self.sees_registry() && !self.journal_confirmation.confirms() {
            self.parts.admission.set_away(Away::Registry, true);
        }
        tracing::warn!(why, "heartbeat failed; the next one follows");
        let asked = Instant::now();
        let me = self.parts.me.incarnation;
        let members = self.members();
        let others = members.iter().filter(|member| member.incarnation != me);
        let asking = others.map(|member| self.parts.peers.probe(member, me));
        let all = futures_util::future::join_all(asking).await;
        let confirmed = all.iter().all(|probed| probed.as_ref().is_ok_and(|probed| probed.knows_asker));
        if confirmed && !self.unknown_peer.load(Ordering::SeqCst) {
            self.parts.shards.confirmation.for_readers(asked);
        }
    }

    /// Returns when every shard has an owner that this pod knows.
    pub(crate) async fn all_served(&self) {
        let mut updates = self.updates();
        // The sender lives as long as this. Nobody asks for a heartbeat out of turn: this may take long.
        while !self.parts.shards.all_served() && updates.changed().await.is_ok() {}
    }

    /// Returns at the next change of the shard map, or of this pod's view of it, at the latest after a heartbeat.
    pub(crate) async fn newer_map(&self) {
        let patience: Duration = self.parts.config.heartbeat_interval;
        self.parts.shards.newer_map(patience).await;
    }
}
