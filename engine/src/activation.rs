//! One run of an entity's actor, as the committer and the slot know it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One run of one entity's actor.
#[derive(Debug, Default)]
pub(crate) struct Activation {
    /// A commit of this run failed: nothing of it may be committed any more.
    poisoned: AtomicBool,
    /// The last version that is durable.
    durable: AtomicU64,
}

impl Activation {
    pub(crate) fn starting_at(version: u64) -> Self {
        Self { poisoned: AtomicBool::new(false), durable: AtomicU64::new(version) }
    }

    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Everything up to this version is durable.
    pub(crate) fn reach(&self, version: u64) {
        self.durable.store(version, Ordering::Release);
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }
}
