//! Keyed calls that are sent again and again, and then rounds of load, `kill -9` and restart; exits 1 with a list when a promise was not kept.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use smartcart_chaos::{
    replays,
    run::{Options, run},
};
use smartcart_testkit::report::Violation;

#[derive(Debug, Parser)]
struct Arguments {
    /// The server's binary.
    #[arg(long)]
    server: PathBuf,
    #[arg(long, default_value_t = 50)]
    rounds: u64,
    /// The longest load of a round.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Decides the kills and what each client does.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Concurrent clients.
    #[arg(long, default_value_t = 32)]
    workers: u64,
    /// How long every keyed call is sent again and again, before the rounds; 0 leaves it out.
    #[arg(long, default_value_t = 10)]
    replay_seconds: u64,
    /// Keep the data directory though all went well.
    #[arg(long)]
    keep: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut directory = tempfile::Builder::new().prefix("smartcart-chaos-").tempdir()?;
    let outcome = run_all(&arguments, directory.path()).await;
    let clean = matches!(outcome, Ok(true));
    if arguments.keep || !clean {
        directory.disable_cleanup(true);
        println!("kept: {}", directory.path().display());
    }
    outcome?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether every promise was kept.
async fn run_all(arguments: &Arguments, directory: &Path) -> anyhow::Result<bool> {
    if arguments.replay_seconds > 0 {
        let (home, length) = (directory.join("replays"), Duration::from_secs(arguments.replay_seconds));
        std::fs::create_dir_all(&home)?;
        let summary = replays::run::run(&arguments.server, &home, length, arguments.seed).await?;
        print_violations(&summary.violations);
        println!("{summary}");
        if !summary.violations.is_empty() {
            return Ok(false);
        }
    }
    if arguments.rounds == 0 {
        return Ok(true);
    }
    let options = Options {
        server: arguments.server.clone(),
        rounds: arguments.rounds,
        longest: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
        workers: arguments.workers,
    };
    let summary = run(&options, directory).await?;
    print_violations(&summary.violations);
    println!("seed {}: {summary}", options.seed);
    Ok(summary.violations.is_empty())
}

/// More than these say nothing new.
const SHOWN: usize = 20;

fn print_violations(violations: &[Violation]) {
    for violation in violations.iter().take(SHOWN) {
        println!("VIOLATION {violation}");
    }
}
