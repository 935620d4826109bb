//! SmartCart on PostgreSQL: beside the baseline (`bin/baseline`) on the same server, what it writes there, what its fence
//! costs, and what it costs to ask the wrong pod.
//!
//! PostgreSQL shares the machine too. Its processes' time is counted where it runs here.

pub mod fence;
pub mod forward;
pub mod options;
pub mod rows;
pub mod versus;

use std::path::Path;

use anyhow::Context;
use options::{Options, Part};
use versus::Pair;

use crate::{cluster::Cluster, pods::Pods};

/// Runs the parts that were asked for, prints each as soon as it is there, and answers whether every answer was as expected.
pub async fn run(options: &Options, directory: &Path) -> anyhow::Result<bool> {
    let cluster = Cluster::connect(&options.pods.postgres).await?;
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
        let pods = Pods::new(&options.pods.server, &database, directory, &options.pods.settings)
            .context("preparing two pods")?;
        let report = forward::run(options, pods).await?;
        println!("{report}");
        clean &= report.is_clean();
    }
    Ok(clean)
}
