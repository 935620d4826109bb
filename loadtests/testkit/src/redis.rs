//! A private Redis, which can be killed, started again, frozen, and made to forget. Dropping it kills it.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use redis::{FromRedisValue, RedisResult};
use tokio::time::sleep;

use crate::process::{Signal, signal};

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// A replica of a primary with little in it.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// What it acknowledges is on its disk.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// How a Redis is started; the same again after each kill.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The server, looked for in the path when it is a name alone.
    pub program: PathBuf,
    /// Of its command line, beside the address and the directory.
    pub settings: Vec<String>,
    pub environment: Vec<(String, String)>,
}

impl Default for Setup {
    /// Keeps what it acknowledges.
    fn default() -> Self {
        Self::of("redis-server")
    }
}

impl Setup {
    /// As `default`, with another server.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        let settings = DURABLE.map(str::to_owned).to_vec();
        Self { program: program.into(), settings, environment: Vec::new() }
    }

    /// With more settings.
    #[must_use]
    pub fn with<S: Into<String>>(mut self, settings: impl IntoIterator<Item = S>) -> Self {
        self.settings.extend(settings.into_iter().map(Into::into));
        self
    }
}

#[derive(Debug)]
pub struct Redis {
    setup: Setup,
    directory: PathBuf,
    pub address: SocketAddr,
    process: Option<Child>,
}

impl Redis {
    /// Starts it in a directory of its own, which it makes.
    pub async fn start_new(setup: Setup, directory: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let mut redis = Self { setup, directory: directory.to_owned(), address, process: None };
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

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub async fn start(&mut self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let log = self.directory.join("redis.log");
        let output = File::options().create(true).append(true).open(&log)?;
        let process = Command::new(&self.setup.program)
            .args(["--bind", &self.address.ip().to_string(), "--port", &self.address.port().to_string()])
            // A replica gets what there is at once.
            .args(["--save", "", "--repl-diskless-sync-delay", "0", "--dir"])
            .arg(&self.directory)
            .args(&self.setup.settings)
            .envs(self.setup.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {}", self.setup.program.display()))?;
        self.process = Some(process);
        let began = Instant::now();
        while self.ask::<String>(&["PING"]).await.is_err() {
            let process = self.process.as_mut().context("it was just started")?;
            if let Some(status) = process.try_wait()? {
                bail!("Redis ended with {status}:\n{}", fs::read_to_string(&log)?);
            }
            ensure!(began.elapsed() < ANSWERS_WITHIN, "Redis did not start in {}", self.directory.display());
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("Redis does not run")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// It comes back with nothing.
    pub async fn start_empty(&mut self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.directory)?;
        self.start().await
    }

    /// Stops answering without closing anything.
    pub fn freeze(&self, frozen: bool) -> anyhow::Result<()> {
        signal(self.pid()?, if frozen { Signal::SIGSTOP } else { Signal::SIGCONT })
    }

    /// Becomes the replica of a primary that is reached at `address`, and has all that it has.
    pub async fn follow(&self, address: SocketAddr) -> anyhow::Result<()> {
        self.ask::<()>(&["REPLICAOF", &address.ip().to_string(), &address.port().to_string()]).await?;
        let began = Instant::now();
        while !self.ask::<String>(&["INFO", "replication"]).await?.contains("master_link_status:up") {
            ensure!(began.elapsed() < FOLLOWS_WITHIN, "the replica did not follow within {FOLLOWS_WITHIN:?}");
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// A replica takes changes from now on.
    pub async fn promote(&self) -> anyhow::Result<()> {
        Ok(self.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await?)
    }

    /// What it has of an incarnation's journal: whether that is sealed, and how many entries there ever were in its lanes.
    pub async fn journal_of(&self, incarnation: &str) -> anyhow::Result<(bool, u64)> {
        let state: Vec<(String, String)> =
            self.ask(&["HGETALL", &format!("smartcart:{{{incarnation}}}:state")]).await?;
        let (mut sealed, mut entries) = (false, 0);
        for (name, value) in &state {
            sealed |= name == "sealed";
            if name.starts_with("last:") {
                entries += value.parse::<u64>().with_context(|| format!("{name} is {value:?}"))?;
            }
        }
        Ok((sealed, entries))
    }

    /// One command, over a connection of its own.
    pub async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut question = redis::Cmd::new();
        question.arg(command).query_async(&mut connection).await
    }

    pub fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.process.as_ref().context("Redis does not run")?.id())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to end.
        if let Some(process) = &mut self.process {
            let _ended = process.kill();
            let _ended = process.wait();
        }
    }
}
