//! Measures SmartCart: its throughput beside a server that does nothing, its memory, its start-up, and a fleet's PostgreSQL
//! and Redis beside the baselines.

mod arguments;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use arguments::{
    Arguments, Measure, OpenLoopArguments, PostgresArguments, RedisArguments, ThroughputArguments, or_all,
    or_connections,
};
use clap::Parser as _;
use smartcart_bench::{
    against, memory,
    open_loop::{self, Arrivals},
    postgres, redis, restart,
    scenario::Scenario,
    throughput,
};
use smartcart_testkit::redis as redis_server;

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
        Some(Measure::Restart { stored }) => restart::run(&server, directory.path(), stored).await?,
        Some(Measure::Postgres(arguments)) => {
            return measure_postgres(arguments, server, directory.path()).await;
        }
        Some(Measure::Redis(arguments)) => measure_redis(arguments, server, directory.path()).await?,
        Some(Measure::OpenLoop(arguments)) => {
            return measure_open_loop(&arguments, &server, directory.path()).await;
        }
        None => match &arguments.throughput.against {
            Some(other) => return compare(&arguments.throughput, server, other, directory.path()).await,
            None => return measure_throughput(&arguments.throughput, server, directory.path()).await,
        },
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure_postgres(
    arguments: PostgresArguments,
    server: PathBuf,
    directory: &Path,
) -> anyhow::Result<ExitCode> {
    let pods = arguments.pods;
    let quick = pods.size.quick;
    let options = postgres::options::Options {
        pods: pods.options(server, sibling("baseline")?),
        pool: arguments.pool,
        parts: or_all(arguments.parts),
        checkouts: if quick { 200 } else { 8_000 },
        count_for: Duration::from_secs(arguments.count_seconds.unwrap_or(if quick { 2 } else { 20 })),
        forwarded_carts: if quick { 50 } else { 1_000 },
    };
    Ok(verdict(postgres::run(&options, directory).await?))
}

async fn measure_redis(arguments: RedisArguments, server: PathBuf, directory: &Path) -> anyhow::Result<()> {
    let pods = arguments.pods;
    let options = redis::options::Options {
        pods: pods.options(server, sibling("baseline")?),
        redis: redis_server::Setup::of(arguments.redis),
        redis_connections: arguments.redis_connections,
        parts: or_all(arguments.parts),
    };
    redis::run(&options, directory).await
}

fn verdict(clean: bool) -> ExitCode {
    if clean {
        return ExitCode::SUCCESS;
    }
    eprintln!("some answers were not as expected");
    ExitCode::FAILURE
}

async fn compare(
    arguments: &ThroughputArguments,
    server: PathBuf,
    against: &Path,
    directory: &Path,
) -> anyhow::Result<ExitCode> {
    let quick = arguments.size.quick;
    let chosen =
        |scenario: &Scenario| arguments.scenarios.is_empty() || arguments.scenarios.contains(scenario);
    let options = against::Options {
        server,
        against: against.to_owned(),
        carts: arguments.size.carts.unwrap_or(if quick { 5_000 } else { 100_000 }),
        scenarios: against::SCENARIOS.into_iter().filter(chosen).collect(),
        connections: if arguments.size.connections.is_empty() {
            vec![64]
        } else {
            arguments.size.connections.clone()
        },
        slice: Duration::from_millis(arguments.size.slice_ms.unwrap_or(if quick { 100 } else { 250 })),
        turns: arguments.size.turns.unwrap_or(if quick { 1 } else { 5 }),
        checkouts: if quick { 1_000 } else { 12_000 },
        threshold: arguments.threshold,
        seed: arguments.seed,
    };
    let report = against::run(&options, directory).await?;
    println!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure_open_loop(
    arguments: &OpenLoopArguments,
    server: &Path,
    directory: &Path,
) -> anyhow::Result<ExitCode> {
    let arrivals = |&rate| Arrivals {
        rate,
        length: Duration::from_secs(arguments.seconds),
        connections: arguments.connections,
        seed: arguments.seed,
    };
    let arrivals: Vec<_> = arguments.rate.iter().map(arrivals).collect();
    let report = open_loop::run(server, directory, arguments.carts, &arguments.scenarios, &arrivals).await?;
    println!("{report}");
    Ok(verdict(report.is_clean()))
}

async fn measure_throughput(
    arguments: &ThroughputArguments,
    server: PathBuf,
    directory: &Path,
) -> anyhow::Result<ExitCode> {
    let quick = arguments.size.quick;
    let connections = or_connections(arguments.size.connections.clone());
    let options = throughput::Options {
        server,
        noop_server: sibling("noop-server")?,
        carts: arguments.size.carts.unwrap_or(if quick { 5_000 } else { 100_000 }),
        scenarios: Scenario::with_noop_server(&arguments.scenarios),
        connections,
        slice: Duration::from_millis(arguments.size.slice_ms.unwrap_or(if quick { 1_000 } else { 2_000 })),
        turns: arguments.size.turns.unwrap_or(if quick { 1 } else { 5 }),
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
