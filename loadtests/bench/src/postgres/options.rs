//! What is to be measured on PostgreSQL.

use std::time::Duration;

use crate::options::PodOptions;

#[derive(Debug, Clone)]
pub struct Options {
    pub pods: PodOptions,
    /// Connections of the baseline.
    pub pool: u32,
    pub parts: Vec<Part>,
    pub checkouts: usize,
    /// How long rows are counted.
    pub count_for: Duration,
    /// Carts that the two pods are asked for.
    pub forwarded_carts: usize,
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
