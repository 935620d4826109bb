//! Limits of a request, with their units.

use std::time::Duration;

/// How much body is taken, and how long it may take to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit {
    pub bytes: usize,
    pub time: Duration,
}

/// How long a change may take whose client has been told that it took too long, or has left.
pub const CHANGE_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// Changes that go on though their clients have left; with so many no further one begins.
pub const UNATTENDED_CHANGES: usize = 1024;
