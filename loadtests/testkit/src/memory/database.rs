//! What the pods of one fleet share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};
use smartcart_domain::{
    entry::{Entry, Lane},
    id::IncarnationId,
    limits::SHARDS,
    shard::ShardId,
    time::ShopTime,
};
use smartcart_engine::registry::{Epoch, Member, MemberState, ShardRow};
use tokio::sync::watch;

use super::{
    bugs::{Bug, Bugs},
    faults::{Faults, RegistryFault},
    tables::Tables,
};

/// The fleet's database. A call takes effect in one step, so whoever declares a member dead has nothing to wait for.
#[derive(Debug, Clone)]
pub struct Database {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

/// A moment to which a database may go back, as after a failover to a standby that lags.
#[derive(Debug, Clone)]
pub struct Checkpoint(State);

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) members: BTreeMap<IncarnationId, MemberRow>,
    pub(super) shards: Vec<ShardRow>,
    pub(super) lanes: BTreeMap<(IncarnationId, Lane), LaneRows>,
    pub(super) tables: Tables,
    /// The shop time that members have told who are gone.
    pub(super) shop: ShopTime,
    /// Dead members whose write-behind somebody is finishing, and over which line.
    pub(super) takeovers: HashMap<IncarnationId, Arc<Faults<RegistryFault>>>,
    pub(super) bugs: Bugs,
}

#[derive(Debug, Clone)]
pub(super) struct MemberRow {
    pub(super) member: Member,
    pub(super) shop: ShopTime,
}

#[derive(Debug, Clone, Default)]
pub(super) struct LaneRows {
    pub(super) entries: BTreeMap<u64, Entry>,
    pub(super) trimmed: u64,
}

impl LaneRows {
    pub(super) fn last(&self) -> u64 {
        self.entries.last_key_value().map_or(self.trimmed, |(last, _)| *last)
    }
}

/// The incarnation may write nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fenced;

impl Default for Database {
    fn default() -> Self {
        let row = |shard| ShardRow { shard: ShardId(shard), epoch: Epoch(0), owner: None };
        let state = State {
            members: BTreeMap::new(),
            shards: (0..SHARDS).map(row).collect(),
            lanes: BTreeMap::new(),
            tables: Tables::default(),
            shop: ShopTime::default(),
            takeovers: HashMap::new(),
            bugs: Bugs::default(),
        };
        Self { state: Arc::new(Mutex::new(state)), changed: watch::Sender::new(0) }
    }
}

impl Database {
    /// From now on a bug strikes at one chance in so many.
    pub fn plant(&self, bug: Bug, one_in: u32) {
        self.lock().bugs.plant(bug, one_in);
    }

    /// Everything, as it is now.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint(self.lock().clone())
    }

    /// Forgets what came after.
    pub fn rewind(&self, to: &Checkpoint) {
        *self.lock() = to.0.clone();
        self.tell();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Others look at once.
    pub(super) fn tell(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl State {
    /// Whether the incarnation may write.
    pub(super) fn fence(&self, incarnation: IncarnationId) -> Result<(), Fenced> {
        match self.members.get(&incarnation) {
            Some(row) if row.member.state != MemberState::Dead => Ok(()),
            Some(_) | None => Err(Fenced),
        }
    }

    pub(super) fn is_live_owner(&self, incarnation: IncarnationId) -> bool {
        self.members
            .get(&incarnation)
            .is_some_and(|row| row.member.state == MemberState::Live && row.member.owns_shards)
    }

    /// Whether there was such a member.
    pub(super) fn declare_dead(&mut self, incarnation: IncarnationId) -> bool {
        let row = self.members.get_mut(&incarnation);
        row.map(|row| row.member.state = MemberState::Dead).is_some()
    }

    pub(super) fn remove_journal(&mut self, incarnation: IncarnationId) {
        self.lanes.retain(|(owner, _), _| *owner != incarnation);
    }

    /// Nothing of a member is kept but the shop time that it has told.
    pub(super) fn forget_member(&mut self, incarnation: IncarnationId) {
        self.remove_journal(incarnation);
        self.tables.watermarks.retain(|(owner, _), _| *owner != incarnation);
        if let Some(row) = self.members.remove(&incarnation) {
            self.shop = self.shop.max(row.shop);
        }
    }

    /// The furthest shop time that any member has told.
    pub(super) fn shop_time(&self) -> ShopTime {
        self.members.values().map(|row| row.shop).fold(self.shop, Ord::max)
    }
}
