//! What is to be measured with a Redis.

use std::time::Duration;

use smartcart_testkit::redis;

use crate::options::PodOptions;

/// What a slow PostgreSQL takes longer for a commit, and a slow disk for an fsync.
pub const COMMIT_LATER: Duration = Duration::from_millis(20);
pub const FSYNC_LATER: Duration = Duration::from_millis(1);

#[derive(Debug, Clone)]
pub struct Options {
    pub pods: PodOptions,
    /// What is started for each.
    pub redis: redis::Setup,
    /// Of the baseline in Redis.
    pub redis_connections: usize,
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// All three, in turn.
    Versus,
    /// With a slow PostgreSQL and without, in turn.
    Database,
    /// On a slow disk.
    Disk,
}

/// What is slow during a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slow {
    Nothing,
    Postgres,
    Disk,
}
