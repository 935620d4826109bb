//! How quickly a fleet notices and moves.

use std::time::Duration;

/// The intervals by which a member lives among others.
#[derive(Debug, Clone, Copy)]
pub struct FleetConfig {
    /// Each member raises its counter this often.
    pub heartbeat_interval: Duration,
    /// A member whose counter has not moved for this long is suspected.
    pub suspicion_timeout: Duration,
    /// Members must have been the same for this long before shards are moved to where they should be.
    pub rebalance_delay: Duration,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_millis(500),
            suspicion_timeout: Duration::from_secs(5),
            rebalance_delay: Duration::from_secs(2),
        }
    }
}
