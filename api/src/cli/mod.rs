//! The command line.

mod backup;
mod doctor;
mod migrate;
mod seed;
mod serve;
mod verify;

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{Config, ConfigError, LogConfig, LogFormat, Settings, renamed},
    target::Target,
};

/// Carts and stock of a shop, kept durable.
#[derive(Debug, Parser)]
#[command(name = "smartcart", version = version(), about, after_help = "Without a command: serve.")]
struct Cli {
    /// A TOML file of settings; flags and SMARTCART_* variables take precedence.
    #[arg(long, global = true, env = "SMARTCART_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve {
        /// Which part of the shop
        #[arg(long, value_enum, default_value_t = Target::All, env = "SMARTCART_TARGET")]
        target: Target,
    },
    /// Fill an empty shop with the demo catalogue
    Seed,
    /// Audit a stopped shop's tables; exit 1 with a list when an invariant is broken
    Verify,
    /// Copy the files of a running embedded shop into a new folder beside them, and print where it is
    Backup,
    /// Check the settings and everything the service depends on
    Doctor,
    /// Bring the tables to this version's schema
    Migrate,
}

/// A server that simulates its next version says so: the test of a fleet of both proves nothing with two of the same.
fn version() -> &'static str {
    if smartcart_wire::next_version::is_simulated() {
        concat!(env!("CARGO_PKG_VERSION"), "-simulated-next")
    } else {
        env!("CARGO_PKG_VERSION")
    }
}

/// Runs the command line's command. Exit code 0: done; 1: it failed; 2: usage error.
pub fn run() -> ExitCode {
    if let Err(error) = refuse_renamed_settings() {
        eprintln!("error: {error:#}");
        return ExitCode::from(2);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // There is nobody to tell when the terminal is gone.
            let _unprinted = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match configured(cli.config, cli.settings) {
        Ok(config) => {
            start_log(&config.log);
            report(execute(cli.command, config))
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Before the command line is read: there an old flag is merely unknown, and an old variable is not seen at all.
fn refuse_renamed_settings() -> Result<(), ConfigError> {
    renamed::check_arguments(std::env::args_os().skip(1))?;
    renamed::check_environment(|name| std::env::var_os(name).is_some())
}

fn configured(file: Option<PathBuf>, settings: Settings) -> anyhow::Result<Config> {
    let settings = match file {
        Some(file) => settings.or(Settings::from_file(&file)?),
        None => settings,
    };
    Ok(settings.build()?)
}

fn execute(command: Option<Command>, config: Config) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command.unwrap_or(Command::Serve { target: Target::All }) {
            Command::Serve { target } => serve::run(target, config).await,
            Command::Seed => seed::run(config).await,
            Command::Verify => verify::run(config).await,
            Command::Backup => backup::run(&config).await,
            Command::Doctor => doctor::run(&config).await,
            Command::Migrate => migrate::run(config).await,
        }
    })
}

fn report(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Comes before the operator's filter, which may override it. ractor's span for each live actor costs as much CPU as the
/// actor itself, and memory that is never freed.
const QUIET: &str = "ractor=warn,sqlx=warn";

fn start_log(config: &LogConfig) {
    let filter = EnvFilter::new(format!("{QUIET},{}", config.filter));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_setting_may_stand_after_the_command() {
        let cli = Cli::try_parse_from(["smartcart", "serve", "--listen", "0.0.0.0:80"]).unwrap();
        assert_eq!(cli.settings.http.listen.unwrap().port(), 80);
    }
}
