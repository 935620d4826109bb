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
    running: bool,
}

impl Redis {
    pub async fn start_new(script: &Path, directory: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let script = script.canonicalize().with_context(|| format!("no script at {}", script.display()))?;
        let mut redis = Self { script, directory: directory.to_owned(), address, running: false };
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
        run(&self.script, &["start"], &self.directory, &[&self.address.port().to_string()]).await
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

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = fs::read_to_string(self.directory.join("redis.pid")).context("Redis does not run")?;
        let sent = process::Command::new("kill").arg(signal).arg(pid.trim()).status()?;
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
