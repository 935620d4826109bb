//! Replays a real shop's nine months through SmartCart's HTTP API and compares the books.
//!
//! The rules of the replay are those of [`smartcart_replay::trade`].

mod audit;
mod report;
mod setup;
mod shop;
mod state;
mod trading;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use smartcart_replay::trade::books::{self, Ledger, Order};
use smartcart_replay::trade::catalogue;
use smartcart_replay::trade::compare;
use smartcart_replay::trade::file;
use smartcart_replay::trade::plan::{Plan, Units};
use smartcart_replay::trade::rules;

use crate::report::Report;
use crate::shop::Shop;
use crate::state::{Scope, State};
use crate::trading::Trading;

#[derive(Parser)]
#[command(
    about = "Replays a real shop's nine months through the API and compares the books; exit code 1 if they differ"
)]
struct Args {
    /// One server, or every pod of a fleet.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    base_url: Vec<String>,
    /// File with the shop's service token.
    #[arg(long, default_value = "data/admin-token")]
    token_file: PathBuf,
    /// The trade file, gzipped CSV.
    #[arg(long, default_value = "loadtests/data/online-retail.csv.gz")]
    file: PathBuf,
    /// Invoices under way at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Stock a third of what the file sells, so that it runs out.
    #[arg(long)]
    scarce: bool,
    /// What has been done so far; a replay that was stopped goes on from here.
    #[arg(long, default_value = "data/replay.jsonl")]
    state: PathBuf,
    /// Only this many of the file's invoices.
    #[arg(long)]
    limit_invoices: Option<usize>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let lines = file::read(&args.file)?;
    let prices = rules::prices(&lines);
    let plan = Plan::new(&lines, &prices, args.limit_invoices);
    let catalogue = catalogue::build(&lines);
    drop(lines);
    let scope = Scope { scarce: args.scarce, events: plan.events.len() };
    let state = State::open(&args.state, &scope, fresh_run_id())?;
    let customers = plan.purchases().filter_map(|purchase| purchase.customer);
    let shop = Shop::new(&args.base_url, service_token(&args.token_file)?, &state, customers)?;
    let concurrency = usize::from(args.concurrency);
    let began = Instant::now();

    let demand = plan.demand();
    let bar = progress("products");
    let put = setup::products(&shop, &catalogue, &demand, concurrency, &bar).await?;
    bar.finish_with_message(format!("{put} put, the others were there"));
    let bar = progress("stock");
    setup::stock(&shop, &state, &demand, args.scarce, concurrency, &bar).await?;
    bar.finish();

    let trading = Trading { shop: &shop, state: &state, plan: &plan, scarce: args.scarce };
    let bar = progress("invoices");
    let mut differences = trading.run(concurrency, &bar).await?;
    bar.finish();

    let (ledger, found) = compare_books(&shop, &state, &plan, &prices, concurrency).await?;
    differences.extend(found);
    let report = state.read(|known| {
        Report {
            plan: &plan,
            known,
            shop: &ledger,
            scarce: args.scarce,
            requests: shop.client.sent(),
            retried: shop.client.retried(),
            took: began.elapsed(),
            differences: &differences,
        }
        .text()
    });
    println!("\n{report}");
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The shop's ledger, and every difference to the file's.
async fn compare_books(
    shop: &Shop<'_>,
    state: &State,
    plan: &Plan,
    prices: &HashMap<String, i64>,
    concurrency: usize,
) -> Result<(Ledger, Vec<String>)> {
    let bar = progress("orders read back");
    let theirs = audit::orders(shop, state, plan, concurrency, &bar).await?;
    bar.finish();

    let reduced = state.read(|known| {
        known
            .reduced
            .iter()
            .map(|(cart, (_, units))| (cart.clone(), units.clone()))
            .collect::<HashMap<_, _>>()
    });
    let ours = books::expected(plan, prices, &reduced);
    let mut differences = theirs.faults;
    differences.extend(compare::orders(&ours, &theirs.orders));

    let before = state.read(|known| known.stocked.clone());
    let sold = standing_units(&theirs.orders);
    let bar = progress("stock read back");
    let now = audit::stock(shop, &before, &sold, concurrency, &bar).await?;
    bar.finish();
    differences.extend(compare::stock(&before, &now, &sold));
    Ok((Ledger::new(&theirs.orders), differences))
}

fn standing_units(orders: &[Order]) -> Units {
    let mut units = Units::new();
    for (sku, sold) in orders.iter().filter(|order| !order.cancelled).flat_map(|order| &order.lines) {
        *units.entry(sku.clone()).or_default() += sold.units;
    }
    units
}

fn service_token(path: &Path) -> Result<String> {
    let token = std::fs::read_to_string(path).with_context(|| {
        format!("cannot read the service token from {}: name it with --token-file", path.display())
    })?;
    Ok(token.trim().to_owned())
}

/// 128 bits in hex, unlike those of any other run: keys of two runs never meet.
fn fresh_run_id() -> String {
    let half = || RandomState::new().hash_one("run");
    format!("{:016x}{:016x}", half(), half())
}

fn progress(what: &'static str) -> ProgressBar {
    let template = "{prefix:>18} {bar:40} {pos:>6}/{len:<6} {per_sec:>12} {elapsed:>4} (left {eta}) {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style).with_prefix(what);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
