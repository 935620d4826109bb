//! Opening the shop: the products of the file and their stock, each set once.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, anyhow};
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use smartcart_replay::trade::catalogue::Item;
use smartcart_replay::trade::plan::Units;

use crate::shop::{Shop, Step, Trouble};
use crate::state::State;

/// In a scarce shop, one unit in this many of what the file sells is stocked.
const SCARCITY: i64 = 3;

/// Puts every product that the plan sells into the shop, unless it is there with these prices.
pub(crate) async fn products(
    shop: &Shop<'_>,
    catalogue: &[Item],
    demand: &Units,
    concurrency: usize,
    bar: &ProgressBar,
) -> Result<usize> {
    let wanted: HashSet<&str> = catalogue
        .iter()
        .filter(|item| demand.contains_key(&item.sku))
        .map(|item| item.product_id.as_str())
        .collect();
    let mut products: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in catalogue.iter().filter(|item| wanted.contains(item.product_id.as_str())) {
        products.entry(&item.product_id).or_default().push(item);
    }
    bar.set_length(products.len() as u64);
    let put: Vec<bool> = stream::iter(&products)
        .map(|(id, items)| async move {
            let put = product(shop, id, items).await;
            bar.inc(1);
            put
        })
        .buffer_unordered(concurrency)
        .try_collect()
        .await
        .map_err(|trouble| stop(trouble, "cannot put the products into the shop"))?;
    Ok(put.into_iter().filter(|put| *put).count())
}

/// Whether the product had to be put there.
async fn product(shop: &Shop<'_>, id: &str, items: &[&Item]) -> Step<bool> {
    if let Some(there) = shop.product(id).await?
        && items.iter().all(|item| price_in_pounds(&there, &item.sku) == Some(item.gbp))
    {
        return Ok(false);
    }
    let variants: Vec<Value> = items
        .iter()
        .map(|item| {
            let attributes = item.colour.as_ref().map_or(json!({}), |colour| json!({ "colour": colour }));
            let prices: Vec<Value> = item
                .prices()
                .iter()
                .map(|(currency, amount)| json!({ "amount": amount, "currency": currency }))
                .collect();
            json!({ "sku": item.sku, "attributes": attributes, "prices": prices })
        })
        .collect();
    let first = items.first().with_context(|| format!("product {id} has no variant"))?;
    let body = json!({ "name": first.name, "category": first.category, "variants": variants });
    shop.put_product(id, body).await?;
    Ok(true)
}

fn price_in_pounds(product: &Value, sku: &str) -> Option<i64> {
    let variants = product.get("variants")?.as_array()?;
    let variant = variants.iter().find(|variant| variant.get("sku").and_then(Value::as_str) == Some(sku))?;
    let prices = variant.get("prices")?.as_array()?;
    let price = prices.iter().find(|price| price.get("currency").and_then(Value::as_str) == Some("GBP"))?;
    price.get("amount")?.as_i64()
}

/// Stocks every SKU of the demand: all of it, or in a scarce shop a third, rounded down.
pub(crate) async fn stock(
    shop: &Shop<'_>,
    state: &State,
    demand: &Units,
    scarce: bool,
    concurrency: usize,
    bar: &ProgressBar,
) -> Result<()> {
    let missing: Vec<_> =
        state.read(|known| demand.iter().filter(|(sku, _)| !known.stocked.contains_key(*sku)).collect());
    bar.set_length(missing.len() as u64);
    stream::iter(missing)
        .map(|(sku, units)| async move {
            let on_hand = if scarce { units / SCARCITY } else { *units };
            let stock = shop.put_stock(sku, on_hand).await?;
            state.stocked(sku, stock)?;
            bar.inc(1);
            Ok(())
        })
        .buffer_unordered(concurrency)
        .try_collect::<()>()
        .await
        .map_err(|trouble| stop(trouble, "cannot stock the shop"))
}

fn stop(trouble: Trouble, what: &'static str) -> anyhow::Error {
    match trouble {
        Trouble::Unexpected(answer) => anyhow!(answer).context(what),
        Trouble::Fatal(error) => error.context(what),
    }
}
