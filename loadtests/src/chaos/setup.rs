//! The shop that chaos happens in: a few SKUs of one product, with enough stock but for one that runs short.

use anyhow::bail;
use serde_json::json;

use super::{
    client::{Client, Outcome, Request},
    world::World,
};

const SKUS: usize = 8;
const PLENTY: i64 = 100_000;
/// The last SKU runs out and is stocked again by the load's adjustments.
const SCARCE: i64 = 40;

pub async fn stock_the_shop(client: &mut Client, world: &mut World) -> anyhow::Result<()> {
    world.skus = (1..=SKUS).map(|number| format!("CHAOS-{number}")).collect();
    let variants: Vec<_> = world
        .skus
        .iter()
        .map(|sku| json!({ "sku": sku, "attributes": {}, "prices": [{ "amount": 1999, "currency": "USD" }] }))
        .collect();
    let product = json!({
        "name": "Chaos", "description": "", "category": "test", "images": [], "variants": variants,
    });
    put(client, "/v1/products/chaos".to_owned(), product).await?;
    for sku in &world.skus {
        let on_hand = if Some(sku) == world.skus.last() { SCARCE } else { PLENTY };
        put(client, format!("/v1/inventory/{sku}"), json!({ "on_hand": on_hand })).await?;
        world.stocked.insert(sku.clone(), on_hand);
    }
    Ok(())
}

async fn put(client: &mut Client, path: String, body: serde_json::Value) -> anyhow::Result<()> {
    let request = Request { method: "PUT", path, body: Some(body), key: None, service: true };
    match client.send(&request).await.outcome {
        Outcome::Acknowledged(_) => Ok(()),
        other => bail!("PUT {}: {other:?}", request.path),
    }
}
