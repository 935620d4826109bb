use std::process::ExitCode;

use smartcart_persistence::sqlite;

use crate::{app::start_engine, config::Config, demo};

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let storage = sqlite::open(&config.storage.database_url).await?;
    let engine = start_engine(&config, &storage).await?;
    let seeded = demo::seed(&engine).await;
    engine.stop().await;
    storage.store.close().await;
    storage.journal.close().await;
    match seeded? {
        Some(seeded) => println!("{} products with {} SKUs", seeded.products, seeded.skus),
        None => println!("the shop has a catalogue already; nothing was changed"),
    }
    Ok(ExitCode::SUCCESS)
}
