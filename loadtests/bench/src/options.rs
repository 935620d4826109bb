//! What the benches of pods on PostgreSQL have in common.

use std::{path::PathBuf, time::Duration};

#[derive(Debug, Clone)]
pub struct PodOptions {
    pub server: PathBuf,
    pub baseline: PathBuf,
    /// A PostgreSQL server where databases may be made, and where settings may be changed for the time of the run.
    pub postgres: String,
    pub carts: usize,
    pub connections: Vec<usize>,
    pub slice: Duration,
    /// How often each slice comes.
    pub turns: usize,
    /// Settings of the pods beside those that the bench needs.
    pub settings: Vec<(String, String)>,
    pub seed: u64,
}
