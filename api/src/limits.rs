//! Limits of a request, with their units.

use std::time::Duration;

/// How much body is taken, and how long it may take to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit {
    pub bytes: usize,
    pub time: Duration,
}
