//! Who stays in memory. A hot entity that is idle goes to rest; one at rest leaves memory by age, sooner when there is
//! more in memory than the budget says. No timers: a sweep passes every shard once in a rotation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use metrics::{counter, gauge};

use super::actor::Message;
use crate::hydrate::Hydrate;
use super::{Directory, HotKey, Slot};
use smartcart_domain::time::ShopTime;

/// ShardMap that one step of the sweep passes.
const SHARDS_A_STEP: usize = 64;
/// What an actor costs beside its entity: ractor's task and channels.
const ACTOR_BYTES: usize = 7 * 1024;
/// What a resident entity's place in the directory costs.
const SLOT_BYTES: usize = 160;

#[derive(Debug, Clone, Copy)]
pub struct ResidencyConfig {
    /// An actor without work for this long goes to rest.
    pub park_after: Duration,
    /// An entity at rest for this long leaves memory.
    pub evict_after: Duration,
    /// Bytes of one kind of entities that may be in memory, about.
    pub budget: usize,
    /// One pass over all shards.
    pub rotation: Duration,
}

impl Default for ResidencyConfig {
    fn default() -> Self {
        Self {
            park_after: Duration::from_secs(10),
            evict_after: Duration::from_secs(30 * 60),
            budget: 1 << 30,
            rotation: Duration::from_secs(4),
        }
    }
}

/// The sweep's memory of its last rotation.
#[derive(Debug)]
pub(crate) struct Residents {
    next_shard: AtomicUsize,
    /// Seconds after which an entity at rest leaves; halves while the budget is overdrawn.
    evict_after: AtomicU32,
    park_after: AtomicU32,
    counting: Tally,
    last: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    hot: AtomicUsize,
    resident: AtomicUsize,
    bytes: AtomicUsize,
    weight: AtomicUsize,
    waiting: AtomicUsize,
}

impl Tally {
    fn take_into(&self, other: &Self) {
        for (from, to) in [
            (&self.hot, &other.hot),
            (&self.resident, &other.resident),
            (&self.bytes, &other.bytes),
            (&self.weight, &other.weight),
            (&self.waiting, &other.waiting),
        ] {
            to.store(from.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// One shard's residents of one kind.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct ShardResidents {
    pub hot: usize,
    pub resident: usize,
}

#[expect(clippy::cast_possible_truncation, reason = "ages are capped well below 136 years")]
fn seconds(duration: Duration) -> u32 {
    duration.as_secs().min(u64::from(u32::MAX)) as u32
}

impl Residents {
    pub(crate) fn new(config: &ResidencyConfig) -> Self {
        Self {
            next_shard: AtomicUsize::new(0),
            evict_after: AtomicU32::new(seconds(config.evict_after)),
            park_after: AtomicU32::new(seconds(config.park_after)),
            counting: Tally::default(),
            last: Tally::default(),
        }
    }
}

impl<E: Hydrate> Directory<E> {
    /// How long the sweep sleeps between two steps.
    pub(crate) fn sweep_interval(&self) -> Duration {
        let steps = self.shards.len().div_ceil(SHARDS_A_STEP);
        self.residency.rotation / u32::try_from(steps).unwrap_or(1)
    }

    /// One step of the sweep.
    pub(crate) fn sweep(&self) {
        let first = self.residents.next_shard.load(Ordering::Relaxed);
        let last = (first + SHARDS_A_STEP).min(self.shards.len());
        let now = self.tick();
        for shard in &self.shards[first..last] {
            let slots = shard.slots.pin();
            for (id, slot) in &slots {
                if self.sweep_slot(slot, now) {
                    // Only this very slot: the entity may have been brought in again.
                    let _other = slots.remove_if(id, |_, current| Arc::ptr_eq(current, slot));
                }
            }
        }
        if last == self.shards.len() {
            self.residents.next_shard.store(0, Ordering::Relaxed);
            self.end_rotation();
        } else {
            self.residents.next_shard.store(last, Ordering::Relaxed);
        }
    }

    /// Whether the slot was evicted.
    fn sweep_slot(&self, slot: &Arc<Slot<E>>, now: u32) -> bool {
        let idle = slot.idle(now);
        let old = |limit: &AtomicU32| idle.seconds >= limit.load(Ordering::Relaxed);
        let tally = &self.residents.counting;
        tally.waiting.fetch_add(slot.in_flight() as usize, Ordering::Relaxed);
        if idle.hot {
            tally.hot.fetch_add(1, Ordering::Relaxed);
            if old(&self.residents.park_after)
                && let Some(actor) = slot.running()
            {
                // An actor that has just stopped needs no telling.
                let _stopped = actor.send_message(Message::Park);
            }
        } else if old(&self.residents.evict_after)
            && !self.parts.write_behind.has(&E::key(&slot.id))
            && slot.evict()
        {
            counter!("smartcart_evictions_total", "kind" => E::KIND).increment(1);
            return true;
        }
        if idle.seconds >= 1 {
            slot.forget_encoding();
        }
        let actor = if idle.hot { ACTOR_BYTES } else { 0 };
        tally.resident.fetch_add(1, Ordering::Relaxed);
        tally.weight.fetch_add(slot.weight() as usize, Ordering::Relaxed);
        tally.bytes.fetch_add(slot.footprint() as usize + SLOT_BYTES + actor, Ordering::Relaxed);
        false
    }

    fn end_rotation(&self) {
        let Residents { evict_after, park_after, counting, last, .. } = &self.residents;
        counting.take_into(last);
        self.hot_keys.decay();
        E::observe_weight(last.weight.load(Ordering::Relaxed));
        let bytes = last.bytes.load(Ordering::Relaxed);
        for (limit, most) in [
            (evict_after, seconds(self.residency.evict_after)),
            (park_after, seconds(self.residency.park_after)),
        ] {
            let now = limit.load(Ordering::Relaxed);
            let next = if bytes > self.residency.budget { now / 2 } else { now.saturating_mul(2).max(1) };
            limit.store(next.min(most), Ordering::Relaxed);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let set = |name: &'static str, value: usize| gauge!(name, "kind" => E::KIND).set(value as f64);
        set("smartcart_actors", last.hot.load(Ordering::Relaxed));
        set("smartcart_residents", last.resident.load(Ordering::Relaxed));
        set("smartcart_resident_bytes", bytes);
        set("smartcart_mailbox_depth", last.waiting.load(Ordering::Relaxed));
    }

    /// Entities whose time has come.
    pub(crate) fn due(&self, now: ShopTime) -> Vec<E::Id> {
        let mut due = Vec::new();
        for shard in &self.shards {
            let slots = shard.slots.pin();
            due.extend(slots.values().filter(|slot| slot.is_due(now)).map(|slot| slot.id.clone()));
        }
        due
    }

    /// Whether an entity in memory has its time.
    pub(crate) fn is_due(&self, id: &E::Id, now: ShopTime) -> bool {
        self.shard(id).slots.pin().get(id).is_some_and(|slot| slot.is_due(now))
    }

    /// Counted now, shard by shard.
    pub fn residents(&self) -> Vec<ShardResidents> {
        let count = |shard: &super::Shard<E>| {
            let slots = shard.slots.pin();
            let hot = slots.values().filter(|slot| slot.running().is_some()).count();
            ShardResidents { hot, resident: slots.len() }
        };
        self.shards.iter().map(count).collect()
    }

    pub fn hot_keys(&self, most: usize) -> Vec<HotKey> {
        self.hot_keys.top(most)
    }
}
