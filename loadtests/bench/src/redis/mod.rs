//! A pod whose journal is in a Redis, beside the baseline in Redis (`bin/baseline/in_redis.rs`) and beside a pod whose journal is in
//! PostgreSQL: as they are, with a slow PostgreSQL, and with a slow disk under each Redis.
//!
//! Each has a shop of its own, and each Redis is one's own too, with an append-only file and an fsync before every answer.
//! PostgreSQL is shared, and has work from one of them at a time.

pub mod contender;
pub mod disk;
pub mod options;
pub mod report;

use std::{path::Path, time::Duration};

use anyhow::ensure;
use contender::{Contender, Side};
use disk::Library;
use options::{COMMIT_LATER, FSYNC_LATER, Options, Part, Slow};
use report::{Report, Row};
use smartcart_testkit::ops::{CATCHES_UP_WITHIN, drained};

use crate::cluster::Cluster;

/// Runs the parts that were asked for and prints each as soon as it is there. Whatever is not as expected is an error.
pub async fn run(options: &Options, directory: &Path) -> anyhow::Result<()> {
    let cluster = Cluster::connect(&options.pods.postgres).await?;
    let library = Library::build(directory).await?;
    let mut contenders = Vec::new();
    for side in Side::ALL {
        contenders.push(Contender::start(side, options, &cluster, &library, directory).await?);
    }
    let mut bench = Bench { options, cluster, contenders };
    let measured = bench.measure().await;
    // A PostgreSQL that is not the bench's own is left as it was, whatever has happened.
    bench.cluster.slow_down(Duration::ZERO).await?;
    measured?;
    for contender in bench.contenders {
        contender.finish().await?;
    }
    Ok(())
}

struct Bench<'a> {
    options: &'a Options,
    cluster: Cluster,
    /// In the order of `Side::ALL`.
    contenders: Vec<Contender>,
}

impl Bench<'_> {
    async fn measure(&mut self) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        for contender in &self.contenders {
            bytes.push(contender.mean_reply().await?);
        }
        for &part in &self.options.parts {
            let mut rows = Vec::new();
            for &connections in &self.options.pods.connections {
                rows.extend(self.part(part, connections).await?);
            }
            println!("{}", Report { part, carts: self.options.pods.carts, reply_bytes: bytes.clone(), rows });
        }
        Ok(())
    }

    async fn part(&mut self, part: Part, connections: usize) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for &(side, slow) in part.slices() {
            rows.push(Row::new(side, slow, connections)?);
        }
        for turn in 0..self.options.pods.turns {
            eprintln!(
                "{part:?}, {connections} connections, turn {} of {} ...",
                turn + 1,
                self.options.pods.turns
            );
            for row in &mut rows {
                self.slice(turn, row).await?;
            }
        }
        Ok(rows)
    }

    async fn slice(&mut self, turn: usize, row: &mut Row) -> anyhow::Result<()> {
        for contender in &self.contenders {
            if let Some(ops) = contender.ops() {
                drained(ops, CATCHES_UP_WITHIN).await?;
            }
        }
        let (cluster, contender) = (&self.cluster, &mut self.contenders[row.side as usize]);
        if row.slow == Slow::Postgres {
            cluster.slow_down(COMMIT_LATER).await?;
        }
        contender.slow_disk(if row.slow == Slow::Disk { FSYNC_LATER } else { Duration::ZERO })?;
        let pauses = contender.pauses()?;
        let meter = contender.meter(cluster)?;
        let before = meter.read().await?;
        let measured = contender.add_items(row.connections, turn, self.options.pods.slice).await?;
        let paused = contender.pauses()? - pauses;
        ensure!(
            (row.slow == Slow::Disk) == (paused > 0),
            "{} fsyncs were slowed down, with {:?} slow",
            paused,
            row.slow
        );
        if row.slow == Slow::Postgres {
            cluster.slow_down(Duration::ZERO).await?;
        }
        contender.slow_disk(Duration::ZERO)?;
        if let Some(ops) = contender.ops() {
            // What a change costs includes its way into the tables.
            drained(ops, CATCHES_UP_WITHIN).await?;
        }
        row.total.add(&measured, &before, &meter.read().await?)
    }
}
