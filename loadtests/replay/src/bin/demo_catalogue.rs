//! Builds the demo shop's catalogue from the trade file.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use smartcart_replay::trade::{catalogue, file};

#[derive(Parser)]
#[command(about = "Builds the demo shop's catalogue from the trade file")]
struct Args {
    /// The trade file, gzipped CSV.
    #[arg(long, default_value = "loadtests/data/online-retail.csv.gz")]
    file: PathBuf,
    /// Where the catalogue goes.
    #[arg(long, default_value = "api/demo/catalogue.tsv")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let items = catalogue::build(&file::read(&args.file)?);
    std::fs::write(&args.out, catalogue::to_tsv(&items))
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let products = items.iter().filter(|item| item.product_id == item.sku).count();
    println!("{products} products, {} SKUs in {}", items.len(), args.out.display());
    Ok(())
}
