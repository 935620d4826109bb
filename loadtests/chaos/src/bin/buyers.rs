//! A crowd and one SKU: buyers compete for its units until there are none, through carts and checkouts and through
//! holds. Exactly what was there must have been sold.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use clap::Parser;
use smartcart_chaos::{crowd::Sale, endpoints::Endpoints};
use smartcart_testkit::http::authority_of;
use tokio::sync::Semaphore;

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    base_url: String,
    /// File with the shop's service token.
    #[arg(long, default_value = "data/admin-token")]
    token_file: PathBuf,
    #[arg(long, default_value_t = 64)]
    buyers: u64,
    #[arg(long, default_value_t = 1000)]
    units: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The SKU to sell out: one that has no stock yet.
    #[arg(long)]
    sku: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let endpoints = Arc::new(Endpoints::new(&[address_of(&arguments.base_url)?]));
    let token = std::fs::read_to_string(&arguments.token_file)
        .with_context(|| format!("reading {}", arguments.token_file.display()))?;
    let sale = Sale {
        sku: arguments.sku.unwrap_or_else(|| format!("CROWD-{}", std::process::id())),
        units: arguments.units,
        buyers: arguments.buyers,
        at_once: Semaphore::MAX_PERMITS,
        forgotten: 0,
        seed: arguments.seed,
        taken: Arc::default(),
    };
    let takings = sale.run(&endpoints, token.trim()).await?;
    println!("{} buyers, {} units: {takings}", sale.buyers, sale.units);
    if takings.is_exact(sale.units) {
        return Ok(ExitCode::SUCCESS);
    }
    println!("NOT exactly {} sold", sale.units);
    Ok(ExitCode::FAILURE)
}

fn address_of(base_url: &str) -> anyhow::Result<SocketAddr> {
    let authority = authority_of(base_url)?;
    authority.to_socket_addrs()?.next().with_context(|| format!("{authority} has no address"))
}
