use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use smartcart_engine::clock::SystemClock;

use crate::{config::Config, storage::Storage};

/// Audits the tables. A single process first finishes what the journal holds, as any start does. In a fleet the journals
/// belong to the pods: what they have not flushed yet is not audited.
pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let storage = Storage::open(&config.storage).await?;
    if !config.storage.is_shared() {
        let clock = Arc::new(SystemClock::default());
        storage.engine(&config, None, clock).await.context("cannot open the shop")?.stop().await?;
    }
    let findings = storage.store().audit().await;
    storage.close().await;
    let findings = findings?;
    if findings.is_empty() {
        println!("no findings");
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &findings {
        println!("{}: {}", finding.subject, finding.what);
    }
    println!("{} findings", findings.len());
    Ok(ExitCode::FAILURE)
}
