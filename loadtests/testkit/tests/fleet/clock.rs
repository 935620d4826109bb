use std::time::Duration;

use smartcart_domain::time::Timestamp;
use smartcart_engine::clock::Clock;
use tokio::time::Instant;

/// Tokio's time, which jumps while the runtime is paused.
#[derive(Debug)]
pub(crate) struct TokioClock {
    started: Instant,
}

impl TokioClock {
    pub(crate) fn starting_now() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn wall(&self) -> Timestamp {
        Timestamp(1_800_000_000_000).plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
