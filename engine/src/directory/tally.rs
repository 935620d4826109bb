//! How many entities are in memory, and for how long they may stay.

use std::{
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

#[derive(Debug, Clone, Copy)]
pub struct ResidencyConfig {
    /// An actor without work for this long is passivated.
    pub passivate_after: Duration,
    /// A passivated entity that is not used for this long leaves memory.
    pub evict_after: Duration,
    /// Bytes of one kind of entities that may be in memory, about.
    pub budget: usize,
    /// One pass over all shards.
    pub rotation: Duration,
}

impl Default for ResidencyConfig {
    fn default() -> Self {
        Self {
            passivate_after: Duration::from_secs(10),
            evict_after: Duration::from_secs(30 * 60),
            budget: 1 << 30,
            rotation: Duration::from_secs(4),
        }
    }
}

/// The sweep's memory of its last rotation.
#[derive(Debug)]
pub(super) struct Residents {
    pub(super) next_shard: AtomicUsize,
    /// Seconds after which a passivated entity leaves; halves while the budget is overdrawn.
    pub(super) evict_after: AtomicU32,
    pub(super) passivate_after: AtomicU32,
    pub(super) counting: Tally,
    pub(super) last: Tally,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) active: AtomicUsize,
    pub(super) resident: AtomicUsize,
    pub(super) bytes: AtomicUsize,
    pub(super) weight: AtomicUsize,
    pub(super) waiting: AtomicUsize,
}

impl Tally {
    pub(super) fn take_into(&self, other: &Self) {
        for (from, to) in [
            (&self.active, &other.active),
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
    pub active: usize,
    pub resident: usize,
}

#[expect(clippy::cast_possible_truncation, reason = "ages are capped well below 136 years")]
pub(super) fn seconds(duration: Duration) -> u32 {
    duration.as_secs().min(u64::from(u32::MAX)) as u32
}

impl Residents {
    pub(super) fn new(config: &ResidencyConfig) -> Self {
        Self {
            next_shard: AtomicUsize::new(0),
            evict_after: AtomicU32::new(seconds(config.evict_after)),
            passivate_after: AtomicU32::new(seconds(config.passivate_after)),
            counting: Tally::default(),
            last: Tally::default(),
        }
    }
}
