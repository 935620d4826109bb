//! What is counted beside the client's own measurements: CPU of everything that works for a server, and its metrics.
#![expect(clippy::float_arithmetic, reason = "rates and means")]

use std::net::SocketAddr;

use smartcart_testkit::{
    metrics::Metrics,
    process::{cpu_micros, family_cpu_micros},
};

use crate::{cluster::Cluster, load::Measured};

/// Where the counters of one server are.
#[derive(Debug, Clone, Copy)]
pub struct Meter<'a> {
    pub server: u32,
    /// The operator's listener, of a server that has one.
    pub pod: Option<SocketAddr>,
    /// The Redis that works for it and for nobody else.
    pub redis: Option<u32>,
    /// The PostgreSQL that works for it, and for others in their turn.
    pub cluster: &'a Cluster,
}

/// What the counters say at one time.
#[derive(Debug)]
pub struct Reading {
    server: u64,
    redis: Option<u64>,
    postgres: Option<u64>,
    log_bytes: i64,
    metrics: Metrics,
}

/// What one server did in some slices, until its tables had caught up. CPU is in microseconds.
#[derive(Debug)]
pub struct Total {
    pub measured: Measured,
    pub server_cpu: u64,
    /// If it has one.
    pub redis_cpu: Option<u64>,
    /// If it is here.
    pub postgres_cpu: Option<u64>,
    pub log_bytes: i64,
    pub metrics: Metrics,
}

impl Meter<'_> {
    pub async fn read(&self) -> anyhow::Result<Reading> {
        Ok(Reading {
            server: cpu_micros(self.server)?,
            // Its file is rewritten by children.
            redis: self.redis.map(family_cpu_micros).transpose()?,
            postgres: self.cluster.cpu_micros()?,
            log_bytes: self.cluster.log_bytes().await?,
            metrics: match self.pod {
                Some(ops) => Metrics::read(ops).await?,
                None => Metrics::default(),
            },
        })
    }
}

impl Total {
    pub fn nothing() -> anyhow::Result<Self> {
        Ok(Self {
            measured: Measured::nothing()?,
            server_cpu: 0,
            redis_cpu: Some(0),
            postgres_cpu: Some(0),
            log_bytes: 0,
            metrics: Metrics::default(),
        })
    }

    pub fn add(&mut self, measured: &Measured, before: &Reading, after: &Reading) -> anyhow::Result<()> {
        self.server_cpu += after.server.saturating_sub(before.server);
        self.redis_cpu = sum(self.redis_cpu, before.redis, after.redis);
        self.postgres_cpu = sum(self.postgres_cpu, before.postgres, after.postgres);
        self.log_bytes += after.log_bytes - before.log_bytes;
        self.metrics.add(&after.metrics.since(&before.metrics));
        self.measured.add(measured)
    }

    pub fn per_second(&self) -> f64 {
        self.measured.requests as f64 / self.measured.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    pub fn per_request(&self, of: f64) -> f64 {
        of / self.measured.requests.max(1) as f64
    }

    pub fn milliseconds(&self, quantile: f64) -> f64 {
        self.measured.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    /// A pod's changes in one append to its journal, and the milliseconds that it took.
    pub fn append(&self) -> Option<(f64, f64)> {
        let seconds = self.metrics.mean("smartcart_commit_duration_seconds")?;
        Some((self.metrics.mean("smartcart_commit_batch_size")?, seconds * 1e3))
    }
}

/// What was used between two readings, added to what was used before. Nothing, when it was not counted once.
fn sum(so_far: Option<u64>, before: Option<u64>, after: Option<u64>) -> Option<u64> {
    Some(so_far? + after?.saturating_sub(before?))
}
