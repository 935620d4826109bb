use std::process::ExitCode;

use smartcart_persistence::sqlite;

use crate::config::Config;

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    sqlite::migrate(&config.storage.database_url).await?;
    println!("{} is at this version's schema", config.storage.database_url);
    Ok(ExitCode::SUCCESS)
}
