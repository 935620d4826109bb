//! The shop that chaos happens in: a few SKUs of one product, with enough stock but for one that runs short.

use anyhow::Context as _;
use serde_json::json;

use smartcart_testkit::http::Request;

use crate::{client::Client, history::History};

const SKUS: usize = 8;
const PLENTY: i64 = 100_000;
/// The last SKU runs out and is stocked again by the load's adjustments.
const SCARCE: i64 = 40;

pub async fn stock_the_shop(client: &mut Client, history: &mut History) -> anyhow::Result<()> {
    history.skus = (1..=SKUS).map(|number| format!("CHAOS-{number}")).collect();
    let variants: Vec<_> = history
        .skus
        .iter()
        .map(|sku| json!({ "sku": sku, "attributes": {}, "prices": [{ "amount": 1999, "currency": "USD" }] }))
        .collect();
    let product = json!({
        "name": "Chaos", "description": "", "category": "test", "images": [], "variants": variants,
    });
    put(client, "/v1/products/chaos".to_owned(), product).await?;
    for sku in &history.skus {
        let on_hand = if Some(sku) == history.skus.last() { SCARCE } else { PLENTY };
        put(client, format!("/v1/inventory/{sku}"), json!({ "on_hand": on_hand })).await?;
        history.stocked.insert(sku.clone(), on_hand);
    }
    Ok(())
}

/// A product of one SKU, without stock.
pub async fn offer(client: &mut Client, product: &str, sku: &str) -> anyhow::Result<()> {
    let variant = json!({ "sku": sku, "attributes": {}, "prices": [{ "amount": 1999, "currency": "USD" }] });
    let body = json!({
        "name": "Offered", "description": "", "category": "test", "images": [], "variants": [variant],
    });
    put(client, format!("/v1/products/{product}"), body).await
}

async fn put(client: &mut Client, path: String, body: serde_json::Value) -> anyhow::Result<()> {
    let request = Request::put(path, body).by_service();
    client.send(&request).await.outcome.done().with_context(|| request.path)?;
    Ok(())
}
