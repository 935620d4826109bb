//! What is to be measured on PostgreSQL.

use std::{path::PathBuf, time::Duration};

#[derive(Debug, Clone)]
pub struct Options {
    pub server: PathBuf,
    pub baseline: PathBuf,
    /// A PostgreSQL server where databases may be made.
    pub postgres: String,
    /// Of the baseline.
    pub pool: u32,
    pub parts: Vec<Part>,
    pub carts: usize,
    pub connections: Vec<usize>,
    pub slice: Duration,
    /// How often each slice comes.
    pub turns: usize,
    pub checkouts: usize,
    /// How long rows are counted.
    pub count_for: Duration,
    /// Carts that the two pods are asked for.
    pub forwarded_carts: usize,
    /// Settings of the pods beside those that the bench needs.
    pub settings: Vec<(String, String)>,
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// SmartCart and the baseline, in turn.
    Versus,
    /// Rows written to PostgreSQL.
    Rows,
    /// The fence of an append.
    Fence,
    /// A request that another pod must answer.
    Forward,
}

impl Options {
    pub(super) fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}
