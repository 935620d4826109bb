//! Limits of what pods send each other, with their units.

use std::time::Duration;

/// A connection on which nothing comes back for this long is asked whether it lives.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// How long it has to say so.
pub(crate) const KEEP_ALIVE_PATIENCE: Duration = Duration::from_millis(500);
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_millis(500);
/// A probe is answered within this, or it is not.
pub(crate) const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// Requests in one message.
pub(crate) const BATCH: usize = 256;
/// Bytes of one message.
pub(crate) const MESSAGE_BYTES: usize = 4 << 20;
