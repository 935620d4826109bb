//! How lately this pod's ownership was confirmed.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::limits::READS_WITHOUT_CONFIRMATION;

#[derive(Debug)]
pub(crate) struct Confirmation {
    started: Instant,
    /// When the registry last confirmed it, in milliseconds since `started`.
    registry: AtomicU64,
    /// When anyone did whose word readers may go by.
    readers: AtomicU64,
}

impl Default for Confirmation {
    fn default() -> Self {
        Self { started: Instant::now(), registry: AtomicU64::new(0), readers: AtomicU64::new(0) }
    }
}

impl Confirmation {
    /// The registry itself was observed at `at`.
    pub(crate) fn by_registry(&self, at: Instant) {
        self.registry.fetch_max(self.millis(at), Ordering::SeqCst);
        self.for_readers(at);
    }

    /// Nobody had taken a shard of this pod's away at `at`.
    pub(crate) fn for_readers(&self, at: Instant) {
        self.readers.fetch_max(self.millis(at), Ordering::SeqCst);
    }

    pub(crate) fn covers_readers(&self) -> bool {
        self.since(&self.readers) <= READS_WITHOUT_CONFIRMATION
    }

    /// How long ago the registry last answered.
    pub(crate) fn age(&self) -> Duration {
        self.since(&self.registry)
    }

    fn since(&self, moment: &AtomicU64) -> Duration {
        let moment = Duration::from_millis(moment.load(Ordering::SeqCst));
        self.started.elapsed().saturating_sub(moment)
    }

    #[expect(clippy::cast_possible_truncation, reason = "u64 milliseconds are 584 million years")]
    fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_millis() as u64
    }
}
