use std::{io::Write as _, path::Path, process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use smartcart_engine::clock::SystemClock;
use tokio::signal::unix::{SignalKind, signal};

use crate::{app::App, config::Config, target::Target};

pub(super) async fn run(target: Target, config: Config) -> anyhow::Result<ExitCode> {
    if target != Target::All && !config.storage.is_shared() {
        bail!("a single target is part of a fleet, which keeps its tables in PostgreSQL: set DATABASE_URL");
    }
    let config = target.listening(config);
    let token_file = config.admin_token_file.clone();
    // Installed before the start, so that a signal during recovery also stops the process in good order.
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let app = tokio::select! {
        app = App::start(config, target, Arc::new(SystemClock::default())) => app?,
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
    say_where(&app, &token_file)?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("received SIGTERM; stopping"),
        _ = interrupt.recv() => tracing::info!("received SIGINT; stopping"),
        () = app.drained() => tracing::info!("drain requested; stopping"),
        why = app.lost() => {
            if let Err(unfinished) = app.stop().await {
                tracing::warn!(%unfinished, "stopped");
            }
            bail!("{why}");
        }
    }
    app.stop().await.context("stopped, but not all of it is done")?;
    tracing::info!("stopped; everything is in the tables");
    Ok(ExitCode::SUCCESS)
}

fn say_where(app: &App, token_file: &Path) -> std::io::Result<()> {
    let (api, ops) = (app.api, app.ops);
    writeln!(
        std::io::stdout(),
        "SmartCart is open.\n\
         \x20 API            http://{api}\n\
         \x20 API reference  http://{api}/docs\n\
         \x20 Operations     http://{ops}/ops\n\
         \x20 Service token  {}",
        token_file.display()
    )
}
