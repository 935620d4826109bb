//! A private PostgreSQL, by `scripts/postgres.sh`. Dropping it stops it.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use anyhow::{Context, ensure};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::process::Command;

/// In a fleet's directory.
pub(super) const DIRECTORY: &str = "postgres";

#[derive(Debug)]
pub struct Postgres {
    script: PathBuf,
    directory: PathBuf,
    pub address: SocketAddr,
    running: bool,
}

impl Postgres {
    /// A new one, started. `script` is the repository's `scripts/postgres.sh`; every directory above `directory` must
    /// be open to the user that PostgreSQL runs as.
    pub async fn start_new(script: &Path, directory: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let script = script.canonicalize().with_context(|| format!("no script at {}", script.display()))?;
        fs::create_dir_all(directory)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        let mut postgres = Self { script, directory: directory.to_owned(), address, running: false };
        postgres.start().await?;
        Ok(postgres)
    }

    /// What a pod's `DATABASE_URL` is.
    pub fn url(&self) -> String {
        self.url_at(self.address)
    }

    /// The same database behind another address: a proxy's.
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://smartcart@{address}/postgres")
    }

    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.running = true;
        self.run(&["start"], &[&self.address.port().to_string()]).await
    }

    /// As a crash does it: no checkpoint, no goodbye.
    pub async fn crash(&mut self) -> anyhow::Result<()> {
        self.run(&["stop"], &["immediate"]).await?;
        self.running = false;
        Ok(())
    }

    /// A look into the tables.
    pub async fn pool(&self) -> anyhow::Result<PgPool> {
        let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(10));
        options.connect(&self.url()).await.context("connecting to PostgreSQL")
    }

    /// Deletes what the one of a fleet keeps, wherever the script has put it. The fleet has ended.
    pub fn remove(script: &Path, fleet: &Path) -> anyhow::Result<()> {
        let directory = fleet.join(DIRECTORY);
        let removed = process::Command::new(script).arg("remove").arg(&directory).status();
        let removed = removed.with_context(|| script.display().to_string())?;
        ensure!(removed.success(), "PostgreSQL in {} could not be removed: {removed}", directory.display());
        Ok(())
    }

    async fn run(&self, before: &[&str], after: &[&str]) -> anyhow::Result<()> {
        run(&self.script, before, &self.directory, after, &[]).await
    }
}

/// `SCRIPT BEFORE DIRECTORY AFTER`.
pub(super) async fn run(
    script: &Path,
    before: &[&str],
    directory: &Path,
    after: &[&str],
    environment: &[(&str, String)],
) -> anyhow::Result<()> {
    let mut command = Command::new(script);
    command
        .args(before)
        .arg(directory)
        .args(after)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    // The server that it leaves running must not inherit a pipe that somebody waits on.
    let log = directory.join("script.log");
    command.stdin(process::Stdio::null()).stdout(fs::File::create(&log)?).stderr(fs::File::create(&log)?);
    let status = command.status().await.with_context(|| script.display().to_string())?;
    ensure!(
        status.success(),
        "{} {before:?} {after:?} ended with {status}: {}",
        script.display(),
        fs::read_to_string(&log)?
    );
    Ok(())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.running {
            let stopped = process::Command::new(&self.script)
                .arg("stop")
                .arg(&self.directory)
                .arg("immediate")
                .stdin(process::Stdio::null())
                .status();
            if !stopped.is_ok_and(|status| status.success()) {
                eprintln!("PostgreSQL in {} could not be stopped", self.directory.display());
            }
        }
    }
}
