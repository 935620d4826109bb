//! Measures SmartCart: its throughput beside a server that does nothing, its memory, its start-up, and a fleet's PostgreSQL
//! and Redis beside the usual ways to use them.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use smartcart_loadtests::bench::{memory, postgres, redis, restart, scenario::Scenario, throughput};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    measure: Option<Measure>,
    #[command(flatten)]
    throughput: ThroughputArguments,
    /// The server's binary; without it, the one beside this.
    #[arg(long, global = true)]
    server: Option<PathBuf>,
    /// Where the server's data go, for the time of the run; without it, the system's temporary directory.
    #[arg(long, global = true)]
    directory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Measure {
    /// Resident memory of many carts.
    Memory {
        #[arg(long, default_value_t = 1_000_000)]
        carts: usize,
        /// A setting of the server, NAME=VALUE; may be given again.
        #[arg(long = "set", value_parser = setting)]
        settings: Vec<(String, String)>,
    },
    /// Start-up time with no carts and with many at rest.
    Restart {
        #[arg(long, default_value_t = 1_000_000)]
        at_rest: u64,
    },
    /// On PostgreSQL: beside the usual way, rows written, the fence, a forwarded request.
    Postgres(PostgresArguments),
    /// With the journal in a Redis: beside the usual Redis cart and the journal in PostgreSQL; a slow PostgreSQL, a slow disk.
    Redis(RedisArguments),
}

#[derive(Debug, Args)]
struct PostgresArguments {
    #[command(flatten)]
    pods: PodArguments,
    /// One part only; may be given again.
    #[arg(long = "part")]
    parts: Vec<postgres::Part>,
    /// Seconds for which written rows are counted.
    #[arg(long)]
    count_seconds: Option<u64>,
    /// The usual way's connections to PostgreSQL. With fewer its holds are faster, with more its adds.
    #[arg(long, default_value_t = 16)]
    pool: u32,
}

#[derive(Debug, Args)]
struct RedisArguments {
    #[command(flatten)]
    pods: PodArguments,
    /// One part only; may be given again.
    #[arg(long = "part")]
    parts: Vec<redis::Part>,
    /// The usual Redis cart's connections to Redis.
    #[arg(long, default_value_t = 1)]
    redis_connections: usize,
    /// What starts a Redis.
    #[arg(long, default_value = "scripts/redis.sh")]
    redis: PathBuf,
}

/// Of every bench whose pods are on PostgreSQL.
#[derive(Debug, Args)]
struct PodArguments {
    /// A PostgreSQL server on which databases may be made: postgres://user@host:port/database.
    #[arg(long, env = "SMARTCART_TEST_POSTGRES", hide_env_values = true)]
    url: String,
    /// Few carts and short slices: shows that everything works, not how fast.
    #[arg(long)]
    quick: bool,
    #[arg(long)]
    carts: Option<usize>,
    /// May be given again.
    #[arg(long)]
    connections: Vec<usize>,
    #[arg(long)]
    slice_ms: Option<u64>,
    #[arg(long)]
    turns: Option<usize>,
    /// A setting of the pods, NAME=VALUE; may be given again.
    #[arg(long = "set", value_parser = setting)]
    settings: Vec<(String, String)>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl PodArguments {
    fn carts(&self) -> usize {
        self.carts.unwrap_or(if self.quick { 1_000 } else { 100_000 })
    }

    fn connections(&self) -> Vec<usize> {
        if self.quick { vec![32] } else { or_connections(self.connections.clone()) }
    }

    fn slice(&self) -> Duration {
        Duration::from_millis(self.slice_ms.unwrap_or(if self.quick { 500 } else { 2_000 }))
    }

    fn turns(&self) -> usize {
        self.turns.unwrap_or(if self.quick { 1 } else { 5 })
    }
}

#[derive(Debug, Args)]
struct ThroughputArguments {
    /// Few carts and short slices: shows that everything works, not how fast.
    #[arg(long)]
    quick: bool,
    #[arg(long)]
    carts: Option<usize>,
    /// May be given again.
    #[arg(long)]
    connections: Vec<usize>,
    #[arg(long)]
    slice_ms: Option<u64>,
    #[arg(long)]
    turns: Option<usize>,
    /// One scenario only, with its ceiling; may be given again.
    #[arg(long = "scenario")]
    scenarios: Vec<Scenario>,
    /// Also write what was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let server = match &arguments.server {
        Some(server) => server.clone(),
        None => sibling("smartcart")?,
    };
    let directory = match &arguments.directory {
        Some(within) => tempfile::Builder::new().prefix("smartcart-bench-").tempdir_in(within)?,
        None => tempfile::Builder::new().prefix("smartcart-bench-").tempdir()?,
    };
    match arguments.measure {
        Some(Measure::Memory { carts, settings }) => {
            let settings: Vec<(&str, String)> =
                settings.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            memory::run(&server, directory.path(), carts, &settings).await?;
        }
        Some(Measure::Restart { at_rest }) => restart::run(&server, directory.path(), at_rest).await?,
        Some(Measure::Postgres(arguments)) => {
            return measure_postgres(arguments, server, directory.path()).await;
        }
        Some(Measure::Redis(arguments)) => measure_redis(arguments, server, directory.path()).await?,
        None => return measure_throughput(&arguments.throughput, server, directory.path()).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure_postgres(
    arguments: PostgresArguments,
    server: PathBuf,
    directory: &Path,
) -> anyhow::Result<ExitCode> {
    let pods = arguments.pods;
    let quick = pods.quick;
    let options = postgres::Options {
        server,
        usual: sibling("usual")?,
        pool: arguments.pool,
        parts: or_all(arguments.parts),
        carts: pods.carts(),
        connections: pods.connections(),
        slice: pods.slice(),
        turns: pods.turns(),
        checkouts: if quick { 200 } else { 8_000 },
        count_for: Duration::from_secs(arguments.count_seconds.unwrap_or(if quick { 2 } else { 20 })),
        forwarded_carts: if quick { 50 } else { 1_000 },
        postgres: pods.url,
        settings: pods.settings,
        seed: pods.seed,
    };
    Ok(verdict(postgres::run(&options, directory).await?))
}

async fn measure_redis(arguments: RedisArguments, server: PathBuf, directory: &Path) -> anyhow::Result<()> {
    let pods = arguments.pods;
    let options = redis::Options {
        server,
        usual: sibling("usual")?,
        redis: arguments.redis,
        redis_connections: arguments.redis_connections,
        parts: or_all(arguments.parts),
        carts: pods.carts(),
        connections: pods.connections(),
        slice: pods.slice(),
        turns: pods.turns(),
        postgres: pods.url,
        settings: pods.settings,
        seed: pods.seed,
    };
    redis::run(&options, directory).await
}

fn or_all<P: ValueEnum>(given: Vec<P>) -> Vec<P> {
    if given.is_empty() { P::value_variants().to_vec() } else { given }
}

fn or_connections(given: Vec<usize>) -> Vec<usize> {
    if given.is_empty() { vec![64, 256] } else { given }
}

fn verdict(clean: bool) -> ExitCode {
    if clean {
        return ExitCode::SUCCESS;
    }
    eprintln!("some answers were not as expected");
    ExitCode::FAILURE
}

async fn measure_throughput(
    arguments: &ThroughputArguments,
    server: PathBuf,
    directory: &Path,
) -> anyhow::Result<ExitCode> {
    let quick = arguments.quick;
    let connections = or_connections(arguments.connections.clone());
    let options = throughput::Options {
        server,
        ceiling: sibling("ceiling")?,
        carts: arguments.carts.unwrap_or(if quick { 5_000 } else { 100_000 }),
        scenarios: Scenario::with_ceilings(&arguments.scenarios),
        connections,
        slice: Duration::from_millis(arguments.slice_ms.unwrap_or(if quick { 1_000 } else { 2_000 })),
        turns: arguments.turns.unwrap_or(if quick { 1 } else { 5 }),
        checkouts: if quick { 500 } else { 8_000 },
        seed: arguments.seed,
    };
    let report = throughput::run(options, directory).await?;
    println!("{report}");
    if let Some(file) = &arguments.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(verdict(report.is_clean()))
}

/// A binary that was built with this one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path")?;
    Ok(own.with_file_name(name))
}
