use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use smartcart_engine::clock::SystemClock;

use crate::{config::Config, storage::Storage};

/// Audits the tables. Alone: after finishing what the journal holds, as any start does. In a fleet the journals are its
/// pods': what they have not brought to the tables yet is not looked at.
pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let storage = Storage::open(&config.storage).await?;
    if !config.storage.is_shared() {
        let clock = Arc::new(SystemClock::default());
        storage.engine(&config, None, clock).await.context("the shop cannot be opened")?.stop().await;
    }
    let findings = storage.store().audit().await;
    storage.close().await;
    let findings = findings?;
    if findings.is_empty() {
        println!("nothing is wrong");
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &findings {
        println!("{}: {}", finding.subject, finding.what);
    }
    println!("{} findings", findings.len());
    Ok(ExitCode::FAILURE)
}
