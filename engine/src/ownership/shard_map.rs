//! Which shards this pod serves, who serves the others, and how many requests are inside a shard at the moment. A request
//! enters a shard before it touches an entity and leaves it when its answer is durable, so that a shard can be drained:
//! nobody enters, those inside finish, and whoever comes waits and is sent to the new owner.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    confirmation::Confirmation,
    shard_state::{IllegalTransition, Ownership, ShardState, Transition},
};
use crate::registry::{Epoch, Member};
use crate::{limits::WAITING_FOR_SHARDS, shed::shed};
use smartcart_domain::{limits::SHARDS, request::Shed, shard::ShardId};

/// Where a request for a shard goes.
#[derive(Debug)]
pub(crate) enum Route {
    Local(ShardGuard),
    Remote(Owner),
}

/// Another pod, and the epoch at which it owns the shard.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) member: Arc<Member>,
    pub(crate) epoch: Epoch,
}

/// The registry has given a shard that is open here to another pod: this incarnation was declared dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TakenAway;

#[derive(Debug)]
pub(crate) struct ShardMap {
    entries: Box<[ShardEntry]>,
    /// Alone: every shard is here for ever, and nobody counts who is inside.
    alone: bool,
    pub(crate) confirmation: Confirmation,
    changed: watch::Sender<()>,
    /// Wakes whoever reads the registry: somebody knows that this map is old.
    pub(crate) stale: Notify,
    /// Wakes whoever drains a shard, when somebody has left one.
    left: Notify,
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct ShardEntry {
    /// The state, for the hot path, which takes no lock. Only `ShardEntry::change` writes it, under the lock.
    mirror: AtomicU8,
    inside: AtomicU32,
    ownership: Mutex<Ownership>,
}

impl ShardEntry {
    /// The one place where a shard changes its state.
    fn change(&self, transition: Transition) -> Result<(), IllegalTransition> {
        let mut ownership = self.ownership.lock();
        *ownership = ownership.after(transition)?;
        self.mirror.store(ownership.state as u8, Ordering::SeqCst);
        Ok(())
    }

    fn is(&self, state: ShardState) -> bool {
        self.mirror.load(Ordering::SeqCst) == state as u8
    }
}

impl ShardMap {
    fn new(alone: bool) -> Self {
        Self {
            entries: (0..SHARDS).map(|_| ShardEntry::default()).collect(),
            alone,
            confirmation: Confirmation::default(),
            changed: watch::Sender::new(()),
            stale: Notify::new(),
            left: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// One process, all shards.
    pub(crate) fn alone() -> Self {
        Self::new(true)
    }

    /// A pod among others: it owns what the registry gives it.
    pub(crate) fn in_fleet() -> Self {
        Self::new(false)
    }

    fn entry(&self, shard: ShardId) -> &ShardEntry {
        &self.entries[usize::from(shard.0)]
    }

    pub(crate) fn change(&self, shard: ShardId, transition: Transition) -> Result<(), IllegalTransition> {
        self.entry(shard).change(transition)
    }

    /// Into a shard that is here and open.
    pub(crate) fn enter(self: &Arc<Self>, shard: ShardId) -> Option<ShardGuard> {
        if self.alone {
            return Some(ShardGuard(None));
        }
        let entry = self.entry(shard);
        // Counted first and looked at then: whoever drains looks in the other order, so one of the two sees the other.
        let inside = ShardGuard(Some((self.clone(), shard)));
        entry.inside.fetch_add(1, Ordering::SeqCst);
        entry.is(ShardState::Owned).then_some(inside)
    }

    /// Where to go with a change that was sent here in the belief that the shard is at `epoch`; waits while the shard
    /// changes hands, but not for long, and not in a crowd.
    pub(crate) async fn route(
        self: &Arc<Self>,
        shard: ShardId,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<Route, Shed> {
        if let Some(inside) = self.enter(shard) {
            return Ok(Route::Local(inside));
        }
        let mut changed = self.changed.subscribe();
        let _queued = Queued::among(&self.waiting)?;
        loop {
            if let Some(inside) = self.enter(shard) {
                return Ok(Route::Local(inside));
            }
            if let Some(owner) = self.elsewhere(shard, epoch) {
                return Ok(Route::Remote(owner));
            }
            self.next_change(&mut changed, shard, epoch, deadline).await?;
        }
    }

    /// Like `route`, for a reader: nobody is counted. Nothing: here.
    pub(crate) async fn route_read(
        &self,
        shard: ShardId,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<Option<Owner>, Shed> {
        if self.serves(shard) {
            return Ok(None);
        }
        let mut changed = self.changed.subscribe();
        let _queued = Queued::among(&self.waiting)?;
        loop {
            if self.serves(shard) {
                return Ok(None);
            }
            if let Some(owner) = self.elsewhere(shard, epoch) {
                return Ok(Some(owner));
            }
            self.next_change(&mut changed, shard, epoch, deadline).await?;
        }
    }

    async fn next_change(
        &self,
        changed: &mut watch::Receiver<()>,
        shard: ShardId,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<(), Shed> {
        if self.epoch(shard) < epoch {
            self.stale.notify_one();
        }
        tokio::time::timeout_at(deadline, changed.changed())
            .await
            .map(|_| ())
            .map_err(|_| shed("shard_moving", Duration::from_millis(500)))
    }

    fn elsewhere(&self, shard: ShardId, epoch: Epoch) -> Option<Owner> {
        let ownership = self.entry(shard).ownership.lock();
        let member = ownership.owner.clone().filter(|_| ownership.epoch >= epoch)?;
        Some(Owner { member, epoch: ownership.epoch })
    }

    /// Readers of the shard are served here. Changes need `enter`.
    pub(crate) fn serves(&self, shard: ShardId) -> bool {
        // Looked at once: between two looks the shard could go from the one state to the other, and back.
        let state = self.entry(shard).mirror.load(Ordering::SeqCst);
        self.alone || state == ShardState::Owned as u8 || state == ShardState::Draining as u8
    }

    pub(crate) fn is_open(&self, shard: ShardId) -> bool {
        self.alone || self.entry(shard).is(ShardState::Owned)
    }

    pub(crate) fn epoch(&self, shard: ShardId) -> Epoch {
        self.entry(shard).ownership.lock().epoch
    }

    /// Whether readers may trust that nobody else serves these shards.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.alone || self.confirmation.covers_readers()
    }

    /// The registry says that the shard is this pod's. Whether that is news.
    pub(crate) fn acquire(&self, shard: ShardId, epoch: Epoch) -> bool {
        self.change(shard, Transition::Acquire { epoch }).is_ok()
    }

    /// The registry says that the shard is another's, or nobody's.
    pub(crate) fn learn(
        &self,
        shard: ShardId,
        epoch: Epoch,
        owner: Option<Arc<Member>>,
    ) -> Result<(), TakenAway> {
        match self.change(shard, Transition::Learn { epoch, owner }) {
            Err(IllegalTransition { state: ShardState::Owned | ShardState::Draining, epoch: known })
                if epoch > known =>
            {
                Err(TakenAway)
            }
            // An old row; or the shard is being handed over, and whoever does that asks the registry itself.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Shards that are here, with their epochs; also those whose handover has not ended.
    pub(crate) fn owned(&self) -> Vec<(ShardId, Epoch)> {
        (0..SHARDS)
            .map(ShardId)
            .filter(|shard| self.alone || !self.entry(*shard).is(ShardState::Remote))
            .map(|shard| (shard, self.epoch(shard)))
            .collect()
    }

    pub(crate) fn all_served(&self) -> bool {
        let served = |entry: &ShardEntry| {
            let ownership = entry.ownership.lock();
            ownership.state != ShardState::Remote || ownership.owner.is_some()
        };
        self.entries.iter().all(served)
    }

    pub(crate) fn owner(&self, shard: ShardId) -> Option<Arc<Member>> {
        self.entry(shard).ownership.lock().owner.clone()
    }

    /// Whether somebody is inside the shard now.
    pub(crate) fn is_busy(&self, shard: ShardId) -> bool {
        self.entry(shard).inside.load(Ordering::SeqCst) > 0
    }

    /// Returns when nobody is inside a shard that nobody enters any more.
    pub(crate) async fn emptied(&self, shard: ShardId) {
        loop {
            let left = self.left.notified();
            if self.entry(shard).inside.load(Ordering::SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }

    /// Whoever waits looks again.
    pub(crate) fn announce(&self) {
        self.changed.send_replace(());
    }

    /// Returns at the next change of the map, or after `patience`; asks for one.
    pub(crate) async fn newer_map(&self, patience: Duration) {
        let mut changed = self.changed.subscribe();
        self.stale.notify_one();
        let _either = tokio::time::timeout(patience, changed.changed()).await;
    }
}

/// Somebody who waits for a shard to have changed hands.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn among(waiting: &'a AtomicUsize) -> Result<Self, Shed> {
        let queued = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_FOR_SHARDS {
            return Err(shed("shard_moving", Duration::from_millis(500)));
        }
        Ok(queued)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request inside a shard. While there is one, the shard stays here.
#[derive(Debug)]
pub(crate) struct ShardGuard(Option<(Arc<ShardMap>, ShardId)>);

impl Drop for ShardGuard {
    fn drop(&mut self) {
        if let Some((shards, shard)) = &self.0 {
            let entry = shards.entry(*shard);
            let last = entry.inside.fetch_sub(1, Ordering::SeqCst) == 1;
            if last && !entry.is(ShardState::Owned) {
                shards.left.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: ShardId = ShardId(7);

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(50)
    }

    fn other() -> Option<Arc<Member>> {
        Some(Arc::new(Member::live("b", 2)))
    }

    #[tokio::test]
    async fn who_knows_of_a_newer_epoch_is_not_sent_to_an_old_owner() {
        let shards = Arc::new(ShardMap::in_fleet());
        assert_eq!(shards.learn(SHARD, Epoch(3), other()), Ok(()));
        assert!(matches!(shards.route(SHARD, Epoch(3), soon()).await, Ok(Route::Remote(_))));
        assert!(shards.route(SHARD, Epoch(4), soon()).await.is_err());
        assert!(!shards.acquire(SHARD, Epoch(3)), "an old row opens nothing");
        assert!(shards.acquire(SHARD, Epoch(4)));
        assert_eq!(shards.learn(SHARD, Epoch(4), other()), Ok(()), "an old row takes nothing away");
        assert_eq!(shards.learn(SHARD, Epoch(5), other()), Err(TakenAway));
    }

    #[test]
    fn a_shard_that_closes_and_opens_again_is_read_all_the_time() {
        let shards = Arc::new(ShardMap::in_fleet());
        shards.acquire(SHARD, Epoch(1));
        std::thread::scope(|scope| {
            let moving = scope.spawn(|| {
                for _ in 0..1_000_000 {
                    shards.change(SHARD, Transition::Drain).unwrap();
                    shards.change(SHARD, Transition::Restore).unwrap();
                }
            });
            while !moving.is_finished() {
                assert!(shards.serves(SHARD));
            }
        });
    }

    #[test]
    fn who_enters_and_who_drains_never_miss_each_other() {
        for _ in 0..2_000 {
            let shards = Arc::new(ShardMap::in_fleet());
            shards.acquire(SHARD, Epoch(1));
            let entered = std::thread::scope(|scope| {
                let entering = scope.spawn(|| shards.enter(SHARD));
                shards.change(SHARD, Transition::Drain).unwrap();
                let seen = shards.entry(SHARD).inside.load(Ordering::SeqCst);
                let entered = entering.join().unwrap();
                assert!(entered.is_none() || seen == 1, "inside, and taken for empty");
                entered
            });
            drop(entered);
            assert_eq!(shards.entry(SHARD).inside.load(Ordering::SeqCst), 0);
        }
    }
}
