//! Pods of a fleet are killed, paused, cut off and restarted under load; exits 1 with a list when a promise was not kept.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::Context;
use clap::{Parser, ValueEnum as _};
use smartcart_chaos::scenario::{Options, Scenario, Verdict};
use smartcart_testkit::{postgres::Postgres, redis};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
struct Arguments {
    /// The server's binary.
    #[arg(long)]
    server: PathBuf,
    /// The next version: what `scripts/next-version.sh` writes beside a server that was built with the feature `next`.
    #[arg(long)]
    next: Option<PathBuf>,
    /// The binary `replay` [beside this one]
    #[arg(long)]
    replay: Option<PathBuf>,
    #[arg(long, default_value = "loadtests/data/online-retail.csv.gz")]
    trade: PathBuf,
    /// What starts and stops a PostgreSQL.
    #[arg(long, default_value = "scripts/postgres.sh")]
    postgres: PathBuf,
    /// The journal: beside the tables, or in a Redis.
    #[arg(long, value_enum, default_value_t = Journal::Postgres)]
    journal: Journal,
    /// The Redis server.
    #[arg(long, default_value = "redis-server")]
    redis: PathBuf,
    /// Only these.
    #[arg(long)]
    scenario: Vec<Scenario>,
    /// Some seconds each, for a build that is not optimised.
    #[arg(long)]
    short: bool,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With the fence taken out of the database: the scenarios `zombie` and `cut-postgres` must then fail.
    #[arg(long)]
    without_fence: bool,
    /// Keep the directories though all went well.
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Journal {
    Postgres,
    Redis,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    // Whatever was started ends with the future that holds it.
    tokio::select! {
        outcome = run_all(&arguments) => outcome,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("asked to end"),
    }
}

async fn run_all(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let scenarios =
        if arguments.scenario.is_empty() { Scenario::value_variants() } else { &arguments.scenario[..] };
    let mut clean = true;
    for scenario in scenarios {
        if scenario.needs_redis() && arguments.journal != Journal::Redis {
            println!("{scenario:?}: only with --journal redis");
            continue;
        }
        match run_one(arguments, *scenario).await {
            Ok(kept) => clean &= kept,
            Err(error) => {
                println!("{error:#}");
                clean = false;
            }
        }
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_one(arguments: &Arguments, scenario: Scenario) -> anyhow::Result<bool> {
    let name = scenario.to_possible_value().context("every scenario has a name")?.get_name().to_owned();
    let mut home = Home::new(&name, &arguments.postgres)?;
    let replay = match &arguments.replay {
        Some(replay) => replay.clone(),
        None => std::env::current_exe()?.with_file_name("replay"),
    };
    let options = Options {
        server: arguments.server.clone(),
        next: arguments.next.clone(),
        replay,
        trade: arguments.trade.clone(),
        postgres: arguments.postgres.clone(),
        redis: (arguments.journal == Journal::Redis).then(|| redis::Setup::of(&arguments.redis)),
        directory: home.directory.path().canonicalize()?,
        short: arguments.short,
        seed: arguments.seed,
        without_fence: arguments.without_fence,
    };
    let began = Instant::now();
    let outcome = scenario.run(&options).await;
    let clean = outcome.as_ref().is_ok_and(|verdict| verdict.violations.is_empty());
    if arguments.keep || !clean {
        home.keep();
    }
    let Verdict { line, violations } = outcome.with_context(|| name.clone())?;
    for violation in violations.iter().take(20) {
        println!("VIOLATION {violation}");
    }
    let mut rules = BTreeMap::<_, usize>::new();
    for violation in &violations {
        *rules.entry(violation.rule).or_default() += 1;
    }
    let rules: String = rules.iter().map(|(rule, count)| format!(" {rule} {count},")).collect();
    println!(
        "{name}: {line}; {} violations;{rules} {} s in all",
        violations.len(),
        began.elapsed().as_secs()
    );
    Ok(clean)
}

/// Where a scenario keeps everything. Dropping it deletes that, and what PostgreSQL keeps of it elsewhere.
struct Home {
    directory: TempDir,
    postgres: PathBuf,
    kept: bool,
}

impl Home {
    fn new(scenario: &str, postgres: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix(&format!("smartcart-fleet-{scenario}-")).tempdir()?;
        Ok(Self { directory, postgres: postgres.to_owned(), kept: false })
    }

    fn keep(&mut self) {
        self.kept = true;
        self.directory.disable_cleanup(true);
        println!("kept: {}", self.directory.path().display());
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = Postgres::remove(&self.postgres, self.directory.path())
        {
            eprintln!("{error:#}");
        }
    }
}
