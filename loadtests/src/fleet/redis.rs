//! A private Redis, by `scripts/redis.sh`. Dropping it kills it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
};

use anyhow::Context;

use super::postgres::run;

#[derive(Debug)]
pub struct Redis {
    script: PathBuf,
    directory: PathBuf,
    address: SocketAddr,
    /// Of the script, at each start.
    environment: Vec<(&'static str, String)>,
    running: bool,
}

impl Redis {
    pub async fn start_new(script: &Path, directory: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        Self::start_in(script, directory, address, Vec::new()).await
    }

    /// With an environment for the script.
    pub async fn start_in(
        script: &Path,
        directory: &Path,
        address: SocketAddr,
        environment: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let script = script.canonicalize().with_context(|| format!("no script at {}", script.display()))?;
        let directory = directory.to_owned();
        let mut redis = Self { script, directory, address, environment, running: false };
        redis.start().await?;
        Ok(redis)
    }

    /// What a pod's `SMARTCART_JOURNAL_URL` is.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub async fn start(&mut self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.directory)?;
        self.running = true;
        let port = self.address.port().to_string();
        run(&self.script, &["start"], &self.directory, &[&port], &self.environment).await
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.signal("-KILL")?;
        self.running = false;
        Ok(())
    }

    /// It comes back with nothing.
    pub async fn start_empty(&mut self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.directory)?;
        self.start().await
    }

    pub fn freeze(&self, frozen: bool) -> anyhow::Result<()> {
        self.signal(if frozen { "-STOP" } else { "-CONT" })
    }

    pub fn pid(&self) -> anyhow::Result<u32> {
        let pid = fs::read_to_string(self.directory.join("redis.pid")).context("Redis does not run")?;
        pid.trim().parse().with_context(|| format!("Redis' pid file reads {pid:?}"))
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.pid()?.to_string();
        let sent = process::Command::new("kill").args([signal, &pid]).status()?;
        anyhow::ensure!(sent.success(), "kill {signal} {pid}");
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.running
            && let Err(error) = self.kill()
        {
            eprintln!("Redis in {} could not be ended: {error:#}", self.directory.display());
        }
    }
}
