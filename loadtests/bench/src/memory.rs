//! How much memory so many resident carts of three lines take.
#![expect(clippy::float_arithmetic, reason = "bytes for each cart")]

use std::{path::Path, time::Duration};

use smartcart_testkit::{metrics::Metrics, ops::drained, process::resident_bytes, server::Launch};

use crate::{
    child::Subject,
    shop::{Shop, batch_of, create_carts, send_and_expect},
};

/// Carts are filled in portions, so that their requests need not all be in memory.
const PORTION: usize = 20_000;
const SETTLES_WITHIN: Duration = Duration::from_secs(120);

/// Longer than the server leaves an idle actor running, by its own default.
const PASSIVATED_AFTER: Duration = Duration::from_secs(45);

/// Loads the carts over HTTP, touches each tenth again, and prints what the server's process holds.
pub async fn run(
    server: &Path,
    directory: &Path,
    carts: usize,
    settings: &[(&str, String)],
) -> anyhow::Result<()> {
    let subject = Subject::start(Launch::prepare(server, directory, settings)?).await?;
    let shop = Shop::set_up(subject.launch.listen, &subject.launch.token, 1, 1).await?;
    let address = subject.launch.listen;
    let empty = resident_bytes(subject.pid)?;
    let mut ids = Vec::with_capacity(carts);
    while ids.len() < carts {
        let created = create_carts(address, PORTION.min(carts - ids.len())).await?;
        let fill = created.iter().enumerate().map(|(number, cart)| {
            let number = u32::try_from(ids.len() + number).unwrap_or_default();
            let skus = [number % 1000, (number + 1) % 1000, (number + 2) % 1000].map(|rank| shop.sku(rank));
            batch_of(cart, &skus)
        });
        send_and_expect(address, fill.collect(), 200..201).await?;
        ids.extend(created);
        eprintln!("{} carts, {} MB resident", ids.len(), resident_bytes(subject.pid)? / 1_000_000);
    }
    eprintln!("waiting {} s for idle actors to be passivated", PASSIVATED_AFTER.as_secs());
    tokio::time::sleep(PASSIVATED_AFTER).await;
    let passivated = resident_bytes(subject.pid)?;
    let touched: Vec<&String> = ids.iter().step_by(10).collect();
    for portion in touched.chunks(PORTION) {
        let touch = portion.iter().map(|cart| batch_of(cart, &[shop.sku(0)]));
        send_and_expect(address, touch.collect(), 200..201).await?;
    }
    drained(subject.launch.ops, SETTLES_WITHIN).await?;
    let resident = resident_bytes(subject.pid)?;
    let metrics = Metrics::read(subject.launch.ops).await?;
    println!(
        "{carts} carts of three lines: {} MB resident when passivated, {:.0} bytes a cart ({} MB with none); {} MB with {} just touched \
         again; {} resident carts",
        passivated / 1_000_000,
        passivated.saturating_sub(empty) as f64 / carts as f64,
        empty / 1_000_000,
        resident / 1_000_000,
        touched.len(),
        metrics.get("smartcart_residents"),
    );
    subject.stop().await?;
    Ok(())
}
