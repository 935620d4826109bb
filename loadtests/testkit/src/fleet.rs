//! A fleet under test: a private PostgreSQL and some pods, as real processes on this machine, each of which can be killed,
//! paused, stopped and started again, with settings of its own. Pods are known by their number from 0; pod 0 is named `a`.
//!
//! ```text
//! let mut fleet = Fleet::new(&Setup { .. }, directory).await?;   // PostgreSQL runs, no pod does
//! fleet.set(1, "DATABASE_URL", fleet.postgres.url_at(proxy));    // before its start: pod `b` goes through a proxy
//! fleet.start_all().await?;                                      // every pod is ready, every shard has an owner
//! fleet.kill(0).await?;  fleet.start(0).await?;
//! fleet.finish().await?;                                         // level tables, SIGTERM, exit 0, `verify` agrees
//! ```

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{
    ops::get_json,
    pod::{Pods, Ports},
    ports::free_ports,
    postgres::{self, Postgres},
    redis::{self, Redis},
    server::{Launch, Server, tail},
};

/// A start may take this long: a takeover may be part of it.
const READY_WITHIN: Duration = Duration::from_secs(45);
/// An orderly stop, with the handover of everything.
const STOPS_WITHIN: Duration = Duration::from_secs(30);
/// The tables follow within about a second; a loaded machine may take longer.
const LEVEL_WITHIN: Duration = Duration::from_secs(30);

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The server's binary.
    pub server: PathBuf,
    /// `scripts/postgres.sh`.
    pub postgres: PathBuf,
    /// When the journal is to be in a Redis.
    pub redis: Option<redis::Setup>,
    pub pods: usize,
}

#[derive(Debug)]
pub struct Fleet {
    pub postgres: Postgres,
    pub redis: Option<Redis>,
    /// Where a second Redis may listen.
    pub spare: SocketAddr,
    /// The service token's text.
    pub token: String,
    pods: Vec<Pod>,
}

#[derive(Debug)]
struct Pod {
    launch: Launch,
    peer: SocketAddr,
    server: Option<Server>,
}

impl Fleet {
    /// PostgreSQL is started, the pods are not.
    pub async fn new(setup: &Setup, directory: &Path) -> anyhow::Result<Self> {
        // PostgreSQL runs as a user of its own, who must get through.
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        let ports = free_ports(3 + 3 * setup.pods)?;
        let postgres =
            Postgres::start_new(&setup.postgres, &directory.join(postgres::DIRECTORY), ports[0]).await?;
        let redis = match &setup.redis {
            Some(setup) => Some(Redis::start_new(setup.clone(), &directory.join("redis"), ports[1]).await?),
            None => None,
        };
        let journal = redis.as_ref().map(|redis| ("SMARTCART_JOURNAL_URL".to_owned(), redis.url()));
        let launcher = Pods::new(&setup.server, &postgres.url(), directory, journal)?;
        let mut pods = Vec::new();
        for (number, ports) in ports[3..].as_chunks::<3>().0.iter().enumerate() {
            let launch = launcher.prepare(&pod_name(number)?, Ports::from(*ports))?;
            pods.push(Pod { launch, peer: ports[2], server: None });
        }
        let token = pods.first().context("a fleet has pods")?.launch.token.clone();
        Ok(Self { postgres, redis, spare: ports[2], token, pods })
    }

    pub fn len(&self) -> usize {
        self.pods.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// A setting of one pod's own, from its next start on.
    pub fn set(&mut self, pod: usize, name: &str, value: impl Into<String>) {
        self.pods[pod].launch.set(name, value);
    }

    /// The binary of one pod, from its next start on.
    pub fn set_program(&mut self, pod: usize, program: &Path) -> anyhow::Result<()> {
        self.pods[pod].launch.set_program(program)
    }

    /// The public listeners, by pod.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.pods.iter().map(|pod| pod.launch.listen).collect()
    }

    /// The operator's listener.
    pub fn ops(&self, pod: usize) -> SocketAddr {
        self.pods[pod].launch.ops
    }

    /// Where its peers' listener is, whatever it advertises.
    pub fn peer(&self, pod: usize) -> SocketAddr {
        self.pods[pod].peer
    }

    pub fn pid(&self, pod: usize) -> Option<u32> {
        self.pods[pod].server.as_ref().and_then(Server::pid)
    }

    pub fn is_running(&self, pod: usize) -> bool {
        self.pods[pod].server.is_some()
    }

    fn running(&self) -> Vec<usize> {
        (0..self.pods.len()).filter(|&pod| self.is_running(pod)).collect()
    }

    /// Starts a pod and does not wait.
    pub fn launch(&mut self, pod: usize) -> anyhow::Result<()> {
        let place = &mut self.pods[pod];
        ensure!(place.server.is_none(), "pod {pod} runs already");
        place.server = Some(place.launch.start()?);
        Ok(())
    }

    /// Waits until `/readyz` says so; how long that took from its start.
    pub async fn ready(&mut self, pod: usize) -> anyhow::Result<Duration> {
        self.server(pod)?.ready(READY_WITHIN).await.with_context(|| format!("pod {pod}"))
    }

    /// Starts a pod and waits until it is ready.
    pub async fn start(&mut self, pod: usize) -> anyhow::Result<Duration> {
        self.launch(pod)?;
        self.ready(pod).await
    }

    /// All pods, ready, and every shard where it should be.
    pub async fn start_all(&mut self) -> anyhow::Result<()> {
        self.start_some(self.len()).await
    }

    /// The first `count` of them.
    pub async fn start_some(&mut self, count: usize) -> anyhow::Result<()> {
        for pod in 0..count {
            self.launch(pod)?;
        }
        for pod in 0..count {
            self.ready(pod).await?;
        }
        self.balanced(READY_WITHIN).await
    }

    fn server(&mut self, pod: usize) -> anyhow::Result<&mut Server> {
        self.pods[pod].server.as_mut().with_context(|| format!("pod {pod} does not run"))
    }

    /// The pod's process, for whoever kills it at a moment of his own. It counts as gone.
    pub fn take(&mut self, pod: usize) -> anyhow::Result<Server> {
        self.pods[pod].server.take().with_context(|| format!("pod {pod} does not run"))
    }

    /// `kill -9`.
    pub async fn kill(&mut self, pod: usize) -> anyhow::Result<()> {
        self.take(pod)?.kill().await
    }

    /// SIGTERM; it must end with 0.
    pub async fn stop(&mut self, pod: usize) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let log = self.pods[pod].launch.log();
        let status = self.take(pod)?.stop(STOPS_WITHIN).await.with_context(|| format!("pod {pod}"))?;
        ensure!(status.success(), "after SIGTERM pod {pod} ended with {status}:\n{}", tail(&log)?);
        Ok(began.elapsed())
    }

    pub async fn pause(&mut self, pod: usize) -> anyhow::Result<()> {
        self.server(pod)?.pause().await
    }

    pub fn resume(&mut self, pod: usize) -> anyhow::Result<()> {
        self.server(pod)?.resume()
    }

    /// A pod that ended though nobody asked it to.
    pub fn check_alive(&mut self) -> anyhow::Result<()> {
        for (number, pod) in self.pods.iter_mut().enumerate() {
            if let Some(server) = &mut pod.server
                && !server.is_running()?
            {
                bail!("pod {number} ended by itself:\n{}", tail(&pod.launch.log())?);
            }
        }
        Ok(())
    }

    /// The last lines of a pod's log.
    pub fn log_tail(&self, pod: usize) -> anyhow::Result<String> {
        tail(&self.pods[pod].launch.log())
    }

    /// The whole log, of all its starts.
    pub fn log(&self, pod: usize) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.pods[pod].launch.log())?)
    }

    /// `/ops/api/status`.
    pub async fn status(&self, pod: usize) -> anyhow::Result<Value> {
        get_json(self.ops(pod), "/ops/api/status").await
    }

    /// The incarnation that the pod is now, in hex.
    pub async fn incarnation(&self, pod: usize) -> anyhow::Result<String> {
        let status = self.status(pod).await?;
        let incarnation = status["engine"]["incarnation"].as_str();
        Ok(incarnation.with_context(|| format!("no incarnation in {status}"))?.to_owned())
    }

    /// Who has each shard, as this pod sees it: the pod's name.
    pub async fn owners(&self, pod: usize) -> anyhow::Result<Vec<Option<String>>> {
        let shards = get_json(self.ops(pod), "/ops/api/shards").await?;
        let shards = shards["items"].as_array().context("no shards")?;
        Ok(shards.iter().map(|shard| shard["owner"].as_str().map(str::to_owned)).collect())
    }

    pub fn name(&self, pod: usize) -> String {
        pod_name(pod).unwrap_or_default()
    }

    /// Waits until every running pod sees all running pods as the owners of some shards, and nobody else of any.
    pub async fn balanced(&self, limit: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let seen = self.seen_balanced().await?;
            match seen {
                None => return Ok(()),
                Some(why) if began.elapsed() > limit => bail!("after {limit:?} {why}"),
                Some(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Until no shard is the dead pod's any more, as another sees it; how long that took.
    pub async fn taken_over(
        &self,
        observer: usize,
        dead: usize,
        since: Instant,
        limit: Duration,
    ) -> anyhow::Result<Duration> {
        let name = self.name(dead);
        loop {
            let owners = self.owners(observer).await?;
            if owners.iter().all(|owner| owner.as_ref().is_some_and(|owner| *owner != name)) {
                return Ok(since.elapsed());
            }
            ensure!(since.elapsed() < limit, "pod {name} was not taken over within {limit:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn seen_balanced(&self) -> anyhow::Result<Option<String>> {
        let running = self.running();
        let mut names: Vec<Option<String>> = running.iter().map(|&pod| Some(self.name(pod))).collect();
        names.sort();
        for &pod in &running {
            let mut owners = self.owners(pod).await?;
            owners.sort();
            owners.dedup();
            if owners != names {
                return Ok(Some(format!("pod {} sees the shards with {owners:?}", self.name(pod))));
            }
        }
        Ok(None)
    }

    /// Waits until the tables have everything of every running pod.
    pub async fn level(&self) -> anyhow::Result<()> {
        self.level_of(&self.running()).await
    }

    pub async fn level_of(&self, pods: &[usize]) -> anyhow::Result<()> {
        let began = Instant::now();
        for &pod in pods {
            loop {
                let status = self.status(pod).await?;
                let behind = &status["engine"]["tables_behind"];
                if behind["entries"].as_u64() == Some(0) {
                    break;
                }
                ensure!(
                    began.elapsed() < LEVEL_WITHIN,
                    "after {LEVEL_WITHIN:?} the tables are behind pod {pod}: {behind}"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Level tables, SIGTERM to each pod in turn, and the server's own audit.
    pub async fn finish(&mut self) -> anyhow::Result<()> {
        self.check_alive()?;
        self.level().await?;
        for pod in self.running() {
            self.stop(pod).await?;
        }
        self.verify().await
    }

    /// `smartcart verify`, with no pod running.
    pub async fn verify(&self) -> anyhow::Result<()> {
        // Past any proxy.
        let mut launch = self.pods[0].launch.clone();
        launch.set("DATABASE_URL", self.postgres.url());
        launch.verify().await
    }
}

fn pod_name(number: usize) -> anyhow::Result<String> {
    let letter =
        u8::try_from(number).ok().filter(|&number| number < 26).context("a fleet has at most 26 pods")?;
    Ok(char::from(b'a' + letter).to_string())
}
