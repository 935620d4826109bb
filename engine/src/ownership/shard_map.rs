//! This pod's own books: which shards it serves, who serves the others, and who is inside a shard at the moment. A
//! request enters a shard before it touches an entity and leaves it when its answer is durable, so that a shard can be
//! closed: nobody enters, those inside finish, and whoever comes waits and is sent to the new owner.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::registry::{Epoch, Member};
use crate::{
    limits::{READS_WITHOUT_CONFIRMATION, WAITING_FOR_SHARDS},
    shed::shed,
};
use smartcart_domain::{limits::SHARDS, request::Shed, shard::ShardId};

const FOREIGN: u8 = 0;
const OWNED: u8 = 1;
/// Nobody enters; who is inside finishes. Readers are still served.
const CLOSING: u8 = 2;
/// Empty, and on its way to another owner: nobody is served.
const HANDING: u8 = 3;

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

#[derive(Debug)]
pub(crate) struct ShardMap {
    places: Box<[ShardEntry]>,
    /// Alone: every shard is here for ever, and nobody counts who is inside.
    alone: bool,
    changed: watch::Sender<()>,
    /// Wakes whoever reads the registry: somebody knows that this map is old.
    pub(crate) stale: Notify,
    /// Wakes whoever closes a shard, when somebody has left one.
    left: Notify,
    waiting: AtomicUsize,
    /// When the registry last confirmed them, in milliseconds since `started`.
    confirmed: AtomicU64,
    /// The same, or when all peers did.
    readers_confirmed: AtomicU64,
    started: Instant,
}

#[derive(Debug, Default)]
struct ShardEntry {
    state: AtomicU8,
    inside: AtomicU32,
    epoch: AtomicU64,
    owner: ArcSwapOption<Member>,
    /// One change of the place at a time.
    moving: Mutex<()>,
}

impl ShardMap {
    fn new(alone: bool, state: u8) -> Self {
        let place = |_| ShardEntry { state: AtomicU8::new(state), ..ShardEntry::default() };
        Self {
            places: (0..SHARDS).map(place).collect(),
            alone,
            changed: watch::Sender::new(()),
            stale: Notify::new(),
            left: Notify::new(),
            waiting: AtomicUsize::new(0),
            confirmed: AtomicU64::new(0),
            readers_confirmed: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    /// One process, all shards.
    pub(crate) fn alone() -> Self {
        Self::new(true, OWNED)
    }

    /// A pod among others: it owns what the registry gives it.
    pub(crate) fn in_fleet() -> Self {
        Self::new(false, FOREIGN)
    }

    fn place(&self, shard: ShardId) -> &ShardEntry {
        &self.places[usize::from(shard.0)]
    }

    /// Into a shard that is here and open.
    pub(crate) fn enter(self: &Arc<Self>, shard: ShardId) -> Option<ShardGuard> {
        if self.alone {
            return Some(ShardGuard(None));
        }
        let place = self.place(shard);
        // Counted first and looked at then: whoever closes looks in the other order, so one of the two sees the other.
        let inside = ShardGuard(Some((self.clone(), shard)));
        place.inside.fetch_add(1, Ordering::SeqCst);
        (place.state.load(Ordering::SeqCst) == OWNED).then_some(inside)
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
        tokio::time::timeout_at(deadline.into(), changed.changed())
            .await
            .map(|_| ())
            .map_err(|_| shed("shard_moving", Duration::from_millis(500)))
    }

    fn elsewhere(&self, shard: ShardId, epoch: Epoch) -> Option<Owner> {
        let place = self.place(shard);
        if place.state.load(Ordering::SeqCst) != FOREIGN {
            return None;
        }
        let known = Epoch(place.epoch.load(Ordering::SeqCst));
        let member = place.owner.load_full().filter(|_| known >= epoch)?;
        Some(Owner { member, epoch: known })
    }

    /// Readers of the shard are served here. Changes need `enter`.
    pub(crate) fn serves(&self, shard: ShardId) -> bool {
        self.alone || matches!(self.place(shard).state.load(Ordering::SeqCst), OWNED | CLOSING)
    }

    pub(crate) fn is_open(&self, shard: ShardId) -> bool {
        self.alone || self.place(shard).state.load(Ordering::SeqCst) == OWNED
    }

    pub(crate) fn epoch(&self, shard: ShardId) -> Epoch {
        Epoch(self.place(shard).epoch.load(Ordering::SeqCst))
    }

    /// The registry said so at `at`: these shards are here.
    pub(crate) fn confirm(&self, at: Instant) {
        self.confirmed.fetch_max(self.millis(at), Ordering::SeqCst);
        self.confirm_readers(at);
    }

    /// Nobody had taken these shards away at `at`.
    pub(crate) fn confirm_readers(&self, at: Instant) {
        self.readers_confirmed.fetch_max(self.millis(at), Ordering::SeqCst);
    }

    /// Whether readers may trust that nobody else serves these shards.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.alone || self.since(&self.readers_confirmed) <= READS_WITHOUT_CONFIRMATION
    }

    /// How long ago the registry last answered.
    pub(crate) fn unconfirmed_for(&self) -> Duration {
        self.since(&self.confirmed)
    }

    fn since(&self, moment: &AtomicU64) -> Duration {
        let moment = Duration::from_millis(moment.load(Ordering::SeqCst));
        self.started.elapsed().saturating_sub(moment)
    }

    #[expect(clippy::cast_possible_truncation, reason = "u64 milliseconds are 584 million years")]
    fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_millis() as u64
    }

    /// The registry says that the shard is this pod's. Whether that is news.
    pub(crate) fn open(&self, shard: ShardId, epoch: Epoch) -> bool {
        let place = self.place(shard);
        let _moving = place.moving.lock();
        if place.state.load(Ordering::SeqCst) != FOREIGN || Epoch(place.epoch.load(Ordering::SeqCst)) >= epoch
        {
            return false;
        }
        place.owner.store(None);
        place.epoch.store(epoch.0, Ordering::SeqCst);
        place.state.store(OWNED, Ordering::SeqCst);
        true
    }

    /// The registry says that the shard is another's, or nobody's. `false`: it is open here at a lower epoch, which
    /// cannot be unless this incarnation was declared dead.
    pub(crate) fn learn(&self, shard: ShardId, epoch: Epoch, owner: Option<Arc<Member>>) -> bool {
        let place = self.place(shard);
        let _moving = place.moving.lock();
        let known = Epoch(place.epoch.load(Ordering::SeqCst));
        match place.state.load(Ordering::SeqCst) {
            FOREIGN if epoch >= known => {
                place.owner.store(owner);
                place.epoch.store(epoch.0, Ordering::SeqCst);
                true
            }
            OWNED | CLOSING => epoch <= known,
            // What is being handed over is settled by who hands it over.
            _ => true,
        }
    }

    /// ShardMap that are here, with their epochs.
    pub(crate) fn owned(&self) -> Vec<(ShardId, Epoch)> {
        (0..SHARDS)
            .map(ShardId)
            .filter(|shard| self.place(*shard).state.load(Ordering::SeqCst) != FOREIGN || self.alone)
            .map(|shard| (shard, self.epoch(shard)))
            .collect()
    }

    pub(crate) fn all_served(&self) -> bool {
        self.places
            .iter()
            .all(|place| place.state.load(Ordering::SeqCst) != FOREIGN || place.owner.load().is_some())
    }

    pub(crate) fn owner(&self, shard: ShardId) -> Option<Arc<Member>> {
        self.place(shard).owner.load_full()
    }

    /// Closes those that are open here, waits until nobody is inside. What comes meanwhile waits. `Err`: some did not
    /// finish in time; all are open again.
    pub(crate) async fn close(&self, shards: &[ShardId], deadline: Instant) -> Result<(), ()> {
        for shard in shards {
            self.place(*shard).state.store(CLOSING, Ordering::SeqCst);
        }
        for shard in shards {
            loop {
                let left = self.left.notified();
                if self.place(*shard).inside.load(Ordering::SeqCst) == 0 {
                    break;
                }
                if tokio::time::timeout_at(deadline.into(), left).await.is_err() {
                    self.reopen(shards);
                    return Err(());
                }
            }
        }
        Ok(())
    }

    /// Readers are not served any more either.
    pub(crate) fn set_handing(&self, shards: &[ShardId]) {
        for shard in shards {
            self.place(*shard).state.store(HANDING, Ordering::SeqCst);
        }
    }

    pub(crate) fn reopen(&self, shards: &[ShardId]) {
        for shard in shards {
            self.place(*shard).state.store(OWNED, Ordering::SeqCst);
        }
        self.tell();
    }

    /// The shard is another's, or nobody's, by this pod's own hand.
    pub(crate) fn give(&self, shard: ShardId, epoch: Epoch, owner: Option<Arc<Member>>) {
        let place = self.place(shard);
        place.owner.store(owner);
        place.epoch.store(epoch.0, Ordering::SeqCst);
        place.state.store(FOREIGN, Ordering::SeqCst);
    }

    /// Whoever waits looks again.
    pub(crate) fn tell(&self) {
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
            let place = shards.place(*shard);
            let last = place.inside.fetch_sub(1, Ordering::SeqCst) == 1;
            if last && place.state.load(Ordering::SeqCst) != OWNED {
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

    fn pod(name: &str) -> Arc<Member> {
        Arc::new(Member {
            incarnation: smartcart_domain::id::IncarnationId(1),
            pod: name.to_owned(),
            address: String::new(),
            owns_shards: true,
            beat: 0,
            state: crate::registry::MemberState::Live,
            protocol: 1,
        })
    }

    #[tokio::test]
    async fn a_shard_closes_when_the_last_one_has_left() {
        let shards = Arc::new(ShardMap::in_fleet());
        assert!(shards.enter(SHARD).is_none());
        assert!(shards.open(SHARD, Epoch(1)));
        let inside = shards.enter(SHARD).unwrap();
        assert_eq!(shards.close(&[SHARD], soon()).await, Err(()), "somebody is inside");
        assert!(shards.is_open(SHARD), "it opens again");
        let closing = shards.close(&[SHARD], Instant::now() + Duration::from_secs(10));
        let leaving = async {
            tokio::task::yield_now().await;
            assert!(shards.enter(SHARD).is_none(), "nobody enters what is closing");
            drop(inside);
        };
        assert_eq!(tokio::join!(closing, leaving).0, Ok(()));
    }

    #[tokio::test]
    async fn who_waits_is_sent_to_the_new_owner() {
        let shards = Arc::new(ShardMap::in_fleet());
        shards.open(SHARD, Epoch(1));
        shards.close(&[SHARD], soon()).await.unwrap();
        let waiting = shards.route(SHARD, Epoch(1), Instant::now() + Duration::from_secs(10));
        let moving = async {
            tokio::task::yield_now().await;
            shards.set_handing(&[SHARD]);
            shards.give(SHARD, Epoch(2), Some(pod("b")));
            shards.tell();
        };
        match tokio::join!(waiting, moving).0.unwrap() {
            Route::Remote(owner) => assert_eq!((owner.member.pod.as_str(), owner.epoch), ("b", Epoch(2))),
            Route::Local(_) => panic!("it is not here any more"),
        }
    }

    #[tokio::test]
    async fn who_knows_of_a_newer_epoch_is_not_sent_to_an_old_owner() {
        let shards = Arc::new(ShardMap::in_fleet());
        assert!(shards.learn(SHARD, Epoch(3), Some(pod("b"))));
        assert!(matches!(shards.route(SHARD, Epoch(3), soon()).await, Ok(Route::Remote(_))));
        assert!(shards.route(SHARD, Epoch(4), soon()).await.is_err());
        assert!(!shards.open(SHARD, Epoch(3)), "an old row opens nothing");
        assert!(shards.open(SHARD, Epoch(4)));
        assert!(!shards.learn(SHARD, Epoch(5), Some(pod("b"))), "taken away: this incarnation was fenced");
    }
}
