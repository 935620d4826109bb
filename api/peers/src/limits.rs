//! Limits of the protocol between pods, with their units.

use std::time::Duration;

/// A connection on which nothing was received for this long is pinged.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// How long the answer to a ping may take.
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_millis(500);
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A probe that is not answered within this has failed.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum requests in one message.
pub(crate) const BATCH: usize = 256;
/// Maximum bytes of one message.
pub(crate) const MESSAGE_BYTES: usize = 4 << 20;
