//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use smartcart_bench::{options::PodOptions, postgres, redis, scenario::Scenario};

#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) measure: Option<Measure>,
    #[command(flatten)]
    pub(crate) throughput: ThroughputArguments,
    /// The server's binary; without it, the one beside this.
    #[arg(long, global = true)]
    pub(crate) server: Option<PathBuf>,
    /// Where the server's data go, for the time of the run; without it, the system's temporary directory.
    #[arg(long, global = true)]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Measure {
    /// Resident memory of many carts.
    Memory {
        #[arg(long, default_value_t = 1_000_000)]
        carts: usize,
        /// A setting of the server, NAME=VALUE; may be given again.
        #[arg(long = "set", value_parser = setting)]
        settings: Vec<(String, String)>,
    },
    /// Start-up time with no carts and with many stored.
    Restart {
        #[arg(long = "at-rest", default_value_t = 1_000_000)]
        stored: u64,
    },
    /// On PostgreSQL: beside the baseline, rows written, the fence, a forwarded request.
    Postgres(PostgresArguments),
    /// Requests at a given rate, whatever has become of the ones before: latency from the intended start.
    OpenLoop(OpenLoopArguments),
    /// With the journal in a Redis: beside the baseline in Redis and the journal in PostgreSQL; a slow PostgreSQL, a slow disk.
    Redis(RedisArguments),
}

#[derive(Debug, Args)]
pub(crate) struct PostgresArguments {
    #[command(flatten)]
    pub(crate) pods: PodArguments,
    /// One part only; may be given again.
    #[arg(long = "part")]
    pub(crate) parts: Vec<postgres::options::Part>,
    /// Seconds for which written rows are counted.
    #[arg(long)]
    pub(crate) count_seconds: Option<u64>,
    /// The baseline's connections to PostgreSQL. With fewer its holds are faster, with more its adds.
    #[arg(long, default_value_t = 16)]
    pub(crate) pool: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RedisArguments {
    #[command(flatten)]
    pub(crate) pods: PodArguments,
    /// One part only; may be given again.
    #[arg(long = "part")]
    pub(crate) parts: Vec<redis::options::Part>,
    /// The baseline in Redis's connections to Redis.
    #[arg(long, default_value_t = 1)]
    pub(crate) redis_connections: usize,
    /// The Redis server.
    #[arg(long, default_value = "redis-server")]
    pub(crate) redis: PathBuf,
}

// How much is measured, and for how long. (A doc comment here would become the description of every command that has it.)
#[derive(Debug, Args)]
pub(crate) struct SizeArguments {
    /// Few carts and short slices: shows that everything works, not how fast.
    #[arg(long)]
    pub(crate) quick: bool,
    #[arg(long)]
    pub(crate) carts: Option<usize>,
    /// May be given again.
    #[arg(long)]
    pub(crate) connections: Vec<usize>,
    #[arg(long)]
    pub(crate) slice_ms: Option<u64>,
    #[arg(long)]
    pub(crate) turns: Option<usize>,
}

/// Of every bench whose pods are on PostgreSQL.
#[derive(Debug, Args)]
pub(crate) struct PodArguments {
    /// A PostgreSQL server on which databases may be made: postgres://user@host:port/database.
    #[arg(long, env = "SMARTCART_TEST_POSTGRES", hide_env_values = true)]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) size: SizeArguments,
    /// A setting of the pods, NAME=VALUE; may be given again.
    #[arg(long = "set", value_parser = setting)]
    pub(crate) settings: Vec<(String, String)>,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl PodArguments {
    pub(crate) fn options(self, server: PathBuf, baseline: PathBuf) -> PodOptions {
        let Self { url: postgres, size, settings, seed } = self;
        let SizeArguments { quick, carts, connections, slice_ms, turns } = size;
        PodOptions {
            server,
            baseline,
            postgres,
            carts: carts.unwrap_or(if quick { 1_000 } else { 100_000 }),
            connections: if quick { vec![32] } else { or_connections(connections) },
            slice: Duration::from_millis(slice_ms.unwrap_or(if quick { 500 } else { 2_000 })),
            turns: turns.unwrap_or(if quick { 1 } else { 5 }),
            settings,
            seed,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ThroughputArguments {
    #[command(flatten)]
    pub(crate) size: SizeArguments,
    /// One scenario only, with the no-op server; may be given again.
    #[arg(long = "scenario")]
    pub(crate) scenarios: Vec<Scenario>,
    /// Compare with this build of the server instead, by the CPU that a request costs; fails if one costs more.
    #[arg(long, value_name = "BINARY")]
    pub(crate) against: Option<PathBuf>,
    /// With --against: percent that a request may cost more.
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0, requires = "against")]
    pub(crate) threshold: f64,
    /// Also write what was measured to this file.
    #[arg(long, conflicts_with = "against")]
    pub(crate) json: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct OpenLoopArguments {
    /// Requests a second; may be given again.
    #[arg(long, required = true)]
    pub(crate) rate: Vec<f64>,
    /// May be given again.
    #[arg(long = "scenario", value_enum, default_values_t = [Scenario::AddItem, Scenario::ReadCart])]
    pub(crate) scenarios: Vec<Scenario>,
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Requests under way at most; another one waits.
    #[arg(long, default_value_t = 256)]
    pub(crate) connections: usize,
    #[arg(long, default_value_t = 100_000)]
    pub(crate) carts: usize,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

pub(crate) fn or_all<P: ValueEnum>(given: Vec<P>) -> Vec<P> {
    if given.is_empty() { P::value_variants().to_vec() } else { given }
}

pub(crate) fn or_connections(given: Vec<usize>) -> Vec<usize> {
    if given.is_empty() { vec![64, 256] } else { given }
}
