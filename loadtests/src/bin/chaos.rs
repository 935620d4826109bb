//! Rounds of load, `kill -9` and restart; exits 1 with a list when a promise was not kept.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use smartcart_loadtests::chaos::run::{Options, run};

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
    /// Keep the data directory though all went well.
    #[arg(long)]
    keep: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let options = Options {
        server: arguments.server,
        rounds: arguments.rounds,
        longest: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
        workers: arguments.workers,
    };
    let mut directory = tempfile::Builder::new().prefix("smartcart-chaos-").tempdir()?;
    let outcome = run(&options, directory.path()).await;
    let clean = outcome.as_ref().is_ok_and(|summary| summary.violations.is_empty());
    if arguments.keep || !clean {
        directory.disable_cleanup(true);
        println!("kept: {}", directory.path().display());
    }
    let summary = outcome?;
    for violation in &summary.violations {
        println!("VIOLATION {violation}");
    }
    println!("seed {}: {summary}", options.seed);
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
