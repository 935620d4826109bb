//! What is to be measured with a Redis.

use std::{path::PathBuf, time::Duration};

use smartcart_testkit::redis;

/// What a slow PostgreSQL takes longer for a commit, and a slow disk for an fsync.
pub const COMMIT_LATER: Duration = Duration::from_millis(20);
pub const FSYNC_LATER: Duration = Duration::from_millis(1);

#[derive(Debug, Clone)]
pub struct Options {
    pub server: PathBuf,
    pub baseline: PathBuf,
    /// What is started for each.
    pub redis: redis::Setup,
    /// A PostgreSQL server where databases may be made, and where settings may be changed for the time of the run.
    pub postgres: String,
    /// Of the baseline in Redis.
    pub redis_connections: usize,
    pub parts: Vec<Part>,
    pub carts: usize,
    pub connections: Vec<usize>,
    pub slice: Duration,
    /// How often each slice comes.
    pub turns: usize,
    /// Settings of the pods beside those that the bench needs.
    pub settings: Vec<(String, String)>,
    pub seed: u64,
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
