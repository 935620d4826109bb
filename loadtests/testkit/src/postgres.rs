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
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::process::Command;

/// In a fleet's directory.
pub(crate) const DIRECTORY: &str = "postgres";

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
        self.run("start", &self.address.port().to_string()).await
    }

    /// As a crash does it: no checkpoint, no goodbye.
    pub async fn crash(&mut self) -> anyhow::Result<()> {
        self.run("stop", "immediate").await?;
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

    /// `SCRIPT COMMAND DIRECTORY ARGUMENT`.
    async fn run(&self, command: &str, argument: &str) -> anyhow::Result<()> {
        // The server that it leaves running must not inherit a pipe that somebody waits on.
        let log = self.directory.join("script.log");
        let status = Command::new(&self.script)
            .arg(command)
            .arg(&self.directory)
            .arg(argument)
            .stdin(process::Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::create(&log)?)
            .status()
            .await
            .with_context(|| self.script.display().to_string())?;
        ensure!(
            status.success(),
            "{} {command} {argument} ended with {status}: {}",
            self.script.display(),
            fs::read_to_string(&log)?
        );
        Ok(())
    }
}

/// The PostgreSQL that tests are given by `scripts/with-postgres.sh`: postgres://user@host:port/database.
pub fn given() -> anyhow::Result<String> {
    std::env::var("SMARTCART_TEST_POSTGRES")
        .context("this needs a PostgreSQL: run it with scripts/with-postgres.sh, which starts one")
}

/// The address of another database of a server.
pub fn database_at(server: &str, name: &str) -> anyhow::Result<String> {
    let (address, _database) = server.rsplit_once('/').context("write postgres://user@host:port/database")?;
    Ok(format!("{address}/{name}"))
}

/// Makes an empty database in place of one of that name, and answers its address.
pub async fn create_database(server: &str, name: &str) -> anyhow::Result<String> {
    let mut connection = PgConnection::connect(server).await.context("connecting to PostgreSQL")?;
    for statement in
        [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")]
    {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    connection.close().await?;
    database_at(server, name)
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
