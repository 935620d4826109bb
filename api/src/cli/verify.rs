use std::process::ExitCode;

use smartcart_engine::store::Store as _;
use smartcart_persistence::sqlite;

use crate::{app::start_engine, config::Config};

/// Finishes what the journal holds, as any start does, then audits the tables.
pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let storage = sqlite::open(&config.storage.database_url).await?;
    let engine = start_engine(&config, &storage).await?;
    engine.stop().await;
    let findings = storage.store.audit().await;
    storage.store.close().await;
    storage.journal.close().await;
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
