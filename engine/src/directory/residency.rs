//! Who stays in memory. An active entity that is idle is passivated; a passivated one leaves memory by age, sooner when there is
//! more in memory than the budget says. No timers: a sweep passes every shard once in a rotation.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use std::time::Duration;

use metrics::{counter, gauge};

use super::slot::Message;
use super::{
    Directory,
    hot_keys::HotKey,
    slot::Slot,
    tally::{Residents, ShardResidents, seconds},
};
use crate::entity::Resident;
use smartcart_domain::{shard::ShardId, time::ShopTime};

/// Shards that one step of the sweep passes.
const SHARDS_A_STEP: usize = 64;
/// What an actor costs beside its entity: ractor's task and channels.
const ACTOR_BYTES: usize = 7 * 1024;
/// What a resident entity's place in the directory costs.
const SLOT_BYTES: usize = 160;

impl<E: Resident> Directory<E> {
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
        if idle.active {
            tally.active.fetch_add(1, Ordering::Relaxed);
            if old(&self.residents.passivate_after)
                && let Some(actor) = slot.running()
            {
                // An actor that has just stopped needs no telling.
                let _stopped = actor.send_message(Message::Passivate);
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
        let actor = if idle.active { ACTOR_BYTES } else { 0 };
        tally.resident.fetch_add(1, Ordering::Relaxed);
        tally.weight.fetch_add(slot.weight() as usize, Ordering::Relaxed);
        tally.bytes.fetch_add(slot.footprint() as usize + SLOT_BYTES + actor, Ordering::Relaxed);
        false
    }

    fn end_rotation(&self) {
        let Residents { evict_after, passivate_after, counting, last, .. } = &self.residents;
        counting.take_into(last);
        self.hot_keys.decay();
        E::observe_weight(last.weight.load(Ordering::Relaxed));
        let bytes = last.bytes.load(Ordering::Relaxed);
        for (limit, most) in [
            (evict_after, seconds(self.residency.evict_after)),
            (passivate_after, seconds(self.residency.passivate_after)),
        ] {
            let now = limit.load(Ordering::Relaxed);
            let next = if bytes > self.residency.budget { now / 2 } else { now.saturating_mul(2).max(1) };
            limit.store(next.min(most), Ordering::Relaxed);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let set = |name: &'static str, value: usize| gauge!(name, "kind" => E::KIND).set(value as f64);
        set("smartcart_actors", last.active.load(Ordering::Relaxed));
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
            let active = slots.values().filter(|slot| slot.running().is_some()).count();
            ShardResidents { active, resident: slots.len() }
        };
        self.shards.iter().map(count).collect()
    }

    /// Entities of a shard in memory.
    pub(crate) fn residents_of(&self, shard: ShardId) -> usize {
        self.shards[usize::from(shard.0)].slots.len()
    }

    pub fn hot_keys(&self, most: usize) -> Vec<HotKey> {
        self.hot_keys.top(most)
    }
}
