//! Who is compared: a server with a shop of its own, and with a Redis of its own where it needs one.

use std::{net::SocketAddr, path::Path, rc::Rc, time::Duration};

use anyhow::{Context, ensure};
use smartcart_testkit::{
    ops::{CATCHES_UP_WITHIN, drained, get_json},
    ports::free_port,
    redis::{Redis, Setup},
};

use super::{
    disk::{Disk, Library},
    options::Options,
};
use crate::{
    child::{Companion, Subject},
    cluster::{Cluster, vacuum},
    load::Measured,
    meter::Meter,
    pods::{Pods, spread},
    requests::mean_reply,
    scenario::{Load, Scenario},
    shop::Shop,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A pod whose journal is in Redis, before PostgreSQL.
    Redis,
    /// The baseline in Redis.
    Baseline,
    /// A pod whose journal is in PostgreSQL.
    Postgres,
}

impl Side {
    pub const ALL: [Self; 3] = [Self::Redis, Self::Baseline, Self::Postgres];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis journal",
            Self::Baseline => "baseline in Redis",
            Self::Postgres => "PostgreSQL journal",
        }
    }

    /// In names of databases, pods and directories.
    const fn slug(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Baseline => "baseline",
            Self::Postgres => "postgres",
        }
    }
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there are three of them")]
enum Running {
    Pod(Subject),
    Baseline(Companion),
}

#[derive(Debug)]
pub struct Contender {
    side: Side,
    running: Running,
    redis: Option<(Redis, Disk)>,
    shop: Rc<Shop>,
    /// Units that were acknowledged since the carts were filled.
    added: u64,
}

impl Contender {
    pub async fn start(
        side: Side,
        options: &Options,
        cluster: &Cluster,
        library: &Library,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let redis = match side {
            Side::Redis | Side::Baseline => Some(own_redis(side, options, library, directory).await?),
            Side::Postgres => None,
        };
        let url = redis.as_ref().map(|(redis, _)| redis.url());
        let database = format!("bench_redis_{}", side.slug());
        let running = match (side, url) {
            (Side::Baseline, Some(url)) => {
                let connections = options.redis_connections.to_string();
                let arguments = ["--redis", &url, "--redis-connections", &connections];
                Running::Baseline(Companion::start(&options.pods.baseline, &arguments).await?)
            }
            (_, url) => {
                let journal = url.map(|url| ("SMARTCART_JOURNAL_URL".to_owned(), url));
                let settings: Vec<_> = options.pods.settings.iter().cloned().chain(journal).collect();
                let database = cluster.fresh(&database).await?;
                let pod = Pods::new(&options.pods.server, &database, directory, &settings)?;
                let pod = pod.start(side.slug()).await?;
                spread(&[&pod]).await?;
                Running::Pod(pod)
            }
        };
        eprintln!("{}: creating {} carts ...", side.name(), options.pods.carts);
        let (address, token) = (running.address(), running.token());
        let shop = Shop::set_up(address, token, options.pods.carts, options.pods.seed).await?;
        shop.fill(address).await?;
        if let Running::Pod(pod) = &running {
            drained(pod.launch.ops, CATCHES_UP_WITHIN).await?;
            vacuum(&cluster.address_of(&database)?).await?;
        }
        Ok(Self { side, running, redis, shop: Rc::new(shop), added: 0 })
    }

    /// The operator's listener, of a pod.
    pub const fn ops(&self) -> Option<SocketAddr> {
        match &self.running {
            Running::Pod(pod) => Some(pod.launch.ops),
            Running::Baseline(_) => None,
        }
    }

    pub fn meter<'a>(&self, cluster: &'a Cluster) -> anyhow::Result<Meter<'a>> {
        let server = match &self.running {
            Running::Pod(pod) => pod.pid,
            Running::Baseline(baseline) => baseline.pid,
        };
        let redis = self.redis.as_ref().map(|(redis, _)| redis.pid()).transpose()?;
        Ok(Meter { server, pod: self.ops(), redis, cluster })
    }

    pub async fn mean_reply(&self) -> anyhow::Result<u64> {
        mean_reply(&self.shop, self.running.address()).await
    }

    /// For its Redis, if it has one.
    pub fn slow_disk(&self, by: Duration) -> anyhow::Result<()> {
        self.redis.as_ref().map_or(Ok(()), |(_, disk)| disk.slow_down(by))
    }

    /// Slow fsyncs of its Redis so far.
    pub fn pauses(&self) -> anyhow::Result<u32> {
        self.redis.as_ref().map_or(Ok(0), |(_, disk)| disk.pauses())
    }

    /// One slice. Every answer must be a 200, and a pod's journal must be where it is meant to be.
    pub async fn add_items(
        &mut self,
        connections: usize,
        turn: usize,
        length: Duration,
    ) -> anyhow::Result<Measured> {
        let (address, token) = (self.running.address(), self.running.token());
        let load = Load { address, shop: &self.shop, token, connections, turn };
        let measured = load.drive(Scenario::AddItem, length, Vec::new()).await?;
        let side = self.side.name();
        ensure!(
            measured.unexpected.is_empty(),
            "{side}: adds were answered {:?}: {}",
            measured.unexpected,
            measured.example.as_deref().unwrap_or_default()
        );
        ensure!(measured.requests > 0, "{side}: nothing was answered");
        self.added += measured.requests;
        if let (Side::Redis, Some(ops)) = (self.side, self.ops()) {
            let status = get_json(ops, "/ops/api/status").await?;
            let journal = status["engine"]["journal"].as_str().context("no engine.journal in the status")?;
            ensure!(journal.starts_with("Redis"), "{side}: it says that it is in {journal}");
        }
        Ok(measured)
    }

    /// Ends it. The carts must have what was put into them, no more and no less.
    pub async fn finish(self) -> anyhow::Result<()> {
        let (found, expected) =
            (self.shop.units(self.running.address()).await?, self.shop.filled() + self.added);
        ensure!(
            found == expected,
            "{}: the carts have {found} units, and {expected} were acknowledged",
            self.side.name()
        );
        if let Running::Pod(pod) = self.running {
            pod.stop().await?;
        }
        Ok(())
    }
}

impl Running {
    const fn address(&self) -> SocketAddr {
        match self {
            Self::Pod(pod) => pod.launch.listen,
            Self::Baseline(baseline) => baseline.address,
        }
    }

    /// The baseline asks nobody for one.
    fn token(&self) -> &str {
        match self {
            Self::Pod(pod) => &pod.launch.token,
            Self::Baseline(_) => "",
        }
    }
}

async fn own_redis(
    side: Side,
    options: &Options,
    library: &Library,
    directory: &Path,
) -> anyhow::Result<(Redis, Disk)> {
    let home = directory.join(format!("redis-{}", side.slug()));
    let disk = library.disk(&home)?;
    let setup = Setup { environment: disk.environment(), ..options.redis.clone() };
    let redis = Redis::start_new(setup, &home, free_port()?).await?;
    Ok((redis, disk))
}
