use std::process::ExitCode;

use crate::{config::Config, storage::Storage};

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    Storage::migrate(&config.storage).await?;
    println!("the tables have this version's schema");
    Ok(ExitCode::SUCCESS)
}
