//! A private Redis, by `scripts/redis.sh`. Dropping it kills it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{process::Command, time::sleep};

use super::postgres::run;

/// A replica of a primary with little in it.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Redis {
    script: PathBuf,
    directory: PathBuf,
    pub address: SocketAddr,
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
        Self::url_at(self.address)
    }

    /// The same behind another address: a proxy's.
    pub fn url_at(address: SocketAddr) -> String {
        format!("redis://{address}")
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

    /// Becomes the replica of a primary that is reached at `address`, and has all that it has.
    pub async fn follow(&self, primary: &Self, address: SocketAddr) -> anyhow::Result<()> {
        // Other replicas are not waited for.
        primary.ask(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await?;
        self.ask(&["REPLICAOF", &address.ip().to_string(), &address.port().to_string()]).await?;
        let began = Instant::now();
        while !self.ask(&["INFO", "replication"]).await?.contains("master_link_status:up") {
            ensure!(began.elapsed() < FOLLOWS_WITHIN, "the replica did not follow within {FOLLOWS_WITHIN:?}");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// A replica takes changes from now on.
    pub async fn promote(&self) -> anyhow::Result<()> {
        self.ask(&["REPLICAOF", "NO", "ONE"]).await.map(drop)
    }

    /// What it has of an incarnation's journal: whether that is sealed, and how many entries there ever were in its lanes.
    pub async fn journal_of(&self, incarnation: &str) -> anyhow::Result<(bool, u64)> {
        let state = self.ask(&["HGETALL", &format!("smartcart:{{{incarnation}}}:state")]).await?;
        let lines: Vec<&str> = state.lines().collect();
        let (mut sealed, mut entries) = (false, 0);
        for field in lines.chunks_exact(2) {
            sealed |= field[0] == "sealed";
            if field[0].starts_with("last:") {
                entries += field[1].parse::<u64>().with_context(|| state.clone())?;
            }
        }
        Ok((sealed, entries))
    }

    /// One command, and its answer as text.
    async fn ask(&self, command: &[&str]) -> anyhow::Result<String> {
        let port = self.address.port().to_string();
        let asking = Command::new("redis-cli").args(["-e", "-p", &port]).args(command).output().await?;
        let answer = String::from_utf8_lossy(&asking.stdout).into_owned();
        ensure!(asking.status.success(), "{command:?}: {answer}{}", String::from_utf8_lossy(&asking.stderr));
        Ok(answer)
    }

    pub fn pid(&self) -> anyhow::Result<u32> {
        let pid = fs::read_to_string(self.directory.join("redis.pid")).context("Redis does not run")?;
        pid.trim().parse().with_context(|| format!("Redis' pid file reads {pid:?}"))
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.pid()?.to_string();
        let sent = process::Command::new("kill").args([signal, &pid]).status()?;
        ensure!(sent.success(), "kill {signal} {pid}");
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
