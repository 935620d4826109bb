//! How long a start takes, with no carts and with many stored.

use std::{path::Path, time::Duration};

use anyhow::ensure;
use smartcart_testkit::{
    http::{Connection, render},
    ops::drained,
    server::Launch,
};

use crate::{
    child::Subject,
    shop::{Shop, batch_of, send_and_expect},
    stored_carts,
};

const STARTS: usize = 5;

pub async fn run(server: &Path, directory: &Path, carts: u64) -> anyhow::Result<()> {
    let settings = [("SMARTCART_SEED", "none".to_owned())];
    let launch = Launch::prepare(server, directory, &settings)?;
    let subject = Subject::start(launch).await?;
    let shop = Shop::set_up(subject.launch.listen, &subject.launch.token, 1, 1).await?;
    let template = batch_of(&shop.carts[0], &[shop.sku(0), shop.sku(1), shop.sku(2)]);
    send_and_expect(subject.launch.listen, vec![template], 200..201).await?;
    drained(subject.launch.ops, Duration::from_secs(30)).await?;
    let launch = subject.stop().await?;

    let empty = median_start(&launch).await?;
    stored_carts::seed(&launch.tables(), carts).await?;
    let full = median_start(&launch).await?;
    let size = std::fs::metadata(launch.tables())?.len();
    println!(
        "ready after {} ms with one cart, {} ms with {carts} stored carts ({} MB of tables); medians of {STARTS} starts",
        empty.as_millis(),
        full.as_millis(),
        size / 1_000_000
    );
    read_a_copy(launch, &stored_carts::id_of(&shop.carts[0], carts / 2)).await
}

async fn median_start(launch: &Launch) -> anyhow::Result<Duration> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let subject = Subject::start(launch.clone()).await?;
        times.push(subject.ready_after);
        subject.stop().await?;
    }
    times.sort_unstable();
    Ok(times[STARTS / 2])
}

/// A copy is a cart like any other.
async fn read_a_copy(launch: Launch, id: &str) -> anyhow::Result<()> {
    let subject = Subject::start(launch).await?;
    let mut connection = Connection::open(subject.launch.listen).await?;
    let response = connection.call(&render("GET", &format!("/v1/carts/{id}"), &[], None)).await?;
    let cart: serde_json::Value = serde_json::from_slice(&response.body)?;
    let whole = cart["id"] == id && cart["items"].as_array().is_some_and(|items| items.len() == 3);
    ensure!(response.status == 200 && whole, "a stored cart was answered {}: {cart}", response.status);
    subject.stop().await?;
    Ok(())
}
