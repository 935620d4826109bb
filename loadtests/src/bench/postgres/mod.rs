//! SmartCart on PostgreSQL: beside the usual way (`bin/usual`) on the same server, what it writes there, what its fence
//! costs, and what it costs to ask the wrong pod.
//!
//! PostgreSQL shares the machine too. Its processes' time is counted where it runs here.

pub mod database;
pub mod fence;
pub mod forward;
pub mod pods;
pub mod rows;
pub mod versus;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use database::Cluster;
use pods::Pods;
use versus::Pair;

#[derive(Debug, Clone)]
pub struct Options {
    pub server: PathBuf,
    pub usual: PathBuf,
    /// A PostgreSQL server where databases may be made.
    pub postgres: String,
    /// Of the usual way.
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
    /// SmartCart and the usual way, in turn.
    Versus,
    /// Rows written to PostgreSQL.
    Rows,
    /// The fence of an append.
    Fence,
    /// A request that another pod must answer.
    Forward,
}

impl Options {
    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

/// Runs the parts that were asked for, prints each as soon as it is there, and answers whether every answer was as expected.
pub async fn run(options: &Options, directory: &Path) -> anyhow::Result<bool> {
    let cluster = Cluster::connect(&options.postgres).await?;
    let mut clean = true;
    if options.has(Part::Fence) {
        println!("{}", fence::run(options, &cluster, directory).await?);
    }
    if options.has(Part::Versus) || options.has(Part::Rows) {
        let pair = Pair::start(options, &cluster, directory).await?;
        // First, so that no other part's holds come to their end while rows are counted.
        if options.has(Part::Rows) {
            let report = rows::run(options, &cluster, &pair).await?;
            println!("{report}");
            clean &= report.is_clean();
        }
        if options.has(Part::Versus) {
            let report = pair.compare(options, &cluster).await?;
            println!("{report}");
            clean &= report.is_clean();
        }
        pair.stop().await?;
    }
    if options.has(Part::Forward) {
        let database = cluster.fresh("bench_pods").await?;
        let pods = Pods::new(&options.server, database, directory, &options.settings)
            .context("preparing two pods")?;
        let report = forward::run(options, pods).await?;
        println!("{report}");
        clean &= report.is_clean();
    }
    Ok(clean)
}
