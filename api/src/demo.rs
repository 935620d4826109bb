//! The demo shop: a real retailer's catalogue (`api/demo/README.md`), with stock to start with.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use smartcart_domain::{
    catalog::{Product, Variant},
    failure::Effect,
    id::Sku,
    idempotency::Caller,
    inventory::StockCommand,
    money::Money,
    request::{Request, RequestError, Shed},
    time::Timestamp,
};
use smartcart_engine::{engine::Engine, store::ImportedRow};

const CATALOGUE: &str = include_str!("../demo/catalogue.tsv");
const CURRENCIES: [&str; 3] = ["GBP", "EUR", "USD"];
/// Stocks that are set concurrently.
const CONCURRENCY: usize = 256;

/// One SKU of the file.
struct Row<'a> {
    product: &'a str,
    name: &'a str,
    category: &'a str,
    variant: Variant,
    on_hand: i64,
}

/// How often a SKU's stock is set again when the machine is too slow for a request's deadline.
const RETRIES: u32 = 5;

/// What `seed` added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeded {
    pub products: usize,
    pub skus: usize,
}

/// Fills a shop that has no products yet. The catalogue is written last: once it is there, everything is.
pub async fn seed(engine: &Arc<Engine>) -> anyhow::Result<Option<Seeded>> {
    if !engine.catalog().is_empty() {
        return Ok(None);
    }
    let (products, stocks) = read(CATALOGUE, engine.clock().wall())?;
    stream::iter(&stocks)
        .map(|(sku, on_hand)| stock(engine, sku, *on_hand))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    let rows = engine.put_products(&products).await.context("cannot write the demo catalogue")?;
    let refused = rows.iter().find(|row| matches!(row, ImportedRow::Refused(_)));
    ensure!(refused.is_none(), "the demo catalogue is not taken: {refused:?}");
    Ok(Some(Seeded { products: products.len(), skus: stocks.len() }))
}

async fn stock(engine: &Engine, sku: &Sku, on_hand: i64) -> anyhow::Result<()> {
    let mut failures = 0;
    loop {
        let request = Request {
            command: StockCommand::SetOnHand { on_hand },
            caller: Caller::Service,
            key: None,
            expected: None,
            fresh: false,
        };
        match engine.inventory().ask(sku, request).await {
            Ok(_) => return Ok(()),
            Err(RequestError::Shed(Shed { retry_after, .. })) => tokio::time::sleep(retry_after).await,
            // Setting it twice is setting it once.
            Err(RequestError::Failed(failure)) if failure.effect != Effect::Fenced && failures < RETRIES => {
                failures += 1;
                tracing::warn!(%sku, %failure, "setting a demo SKU's stock failed; retrying at once");
            }
            Err(error) => anyhow::bail!("cannot set the stock of {sku}: {error:?}"),
        }
    }
}

/// The products, and each SKU's stock.
type Contents = (Vec<Product>, Vec<(Sku, i64)>);

fn read(table: &str, now: Timestamp) -> anyhow::Result<Contents> {
    let mut products: Vec<Product> = Vec::new();
    let mut stocks = Vec::new();
    for (index, line) in table.lines().enumerate().skip(1) {
        let row = Row::parse(line).with_context(|| format!("line {} of the demo catalogue", index + 1))?;
        stocks.push((row.variant.sku.clone(), row.on_hand));
        match products.last_mut().filter(|product| product.id.as_str() == row.product) {
            Some(product) => product.variants.push(row.variant),
            None => products.push(row.into_product(now)?),
        }
    }
    Ok((products, stocks))
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> anyhow::Result<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        ensure!(fields.len() == 9, "it has {} fields, not 9", fields.len());
        let mut prices = Vec::with_capacity(CURRENCIES.len());
        for (currency, amount) in CURRENCIES.iter().zip(&fields[5..8]) {
            prices.push(Money::new(amount.parse()?, currency.parse()?));
        }
        let attributes = fields[4].split(';').filter_map(|pair| pair.split_once('='));
        let variant = Variant {
            sku: fields[1].parse()?,
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            prices,
        };
        let [product, _, name, category] = [fields[0], fields[1], fields[2], fields[3]];
        Ok(Self { product, name, category, variant, on_hand: fields[8].parse()? })
    }

    fn into_product(self, now: Timestamp) -> anyhow::Result<Product> {
        Ok(Product {
            id: self.product.parse()?,
            version: 0,
            name: self.name.to_owned(),
            description: String::new(),
            category: self.category.to_owned(),
            images: Vec::new(),
            variants: vec![self.variant],
            updated_at: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_a_catalogue_the_shop_may_enter() {
        let (products, stocks) = read(CATALOGUE, Timestamp(0)).unwrap();
        assert!(products.len() > 3000 && stocks.len() >= products.len());
        for product in &products {
            product.validate().unwrap();
        }
        assert!(stocks.iter().all(|(_, on_hand)| *on_hand > 0));
    }
}
