//! The shop's books, read back through its API.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use smartcart_replay::trade::books::{Order, Sold};
use smartcart_replay::trade::compare::Stock;
use smartcart_replay::trade::plan::{Plan, Units};
use tokio::time::sleep;

use crate::shop::{Shop, ShopOrder, Step, Trouble};
use crate::state::State;

/// A checkout is answered before its SKUs have sold: they get this many looks, half a second apart.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// What the shop has, and what is wrong with it by itself.
#[derive(Default)]
pub(crate) struct ShopBooks {
    pub(crate) orders: Vec<Order>,
    pub(crate) faults: Vec<String>,
}

/// Everybody's orders: known customers list theirs, guests read theirs by their ids.
pub(crate) async fn orders(
    shop: &Shop<'_>,
    state: &State,
    plan: &Plan,
    concurrency: usize,
    bar: &ProgressBar,
) -> Result<ShopBooks> {
    let mut readers: Vec<Reader> = Vec::new();
    let mut customers: Vec<u32> = plan.purchases().filter_map(|purchase| purchase.customer).collect();
    customers.sort_unstable();
    customers.dedup();
    readers.extend(customers.into_iter().map(Reader::Customer));
    for purchase in plan.purchases().filter(|purchase| purchase.customer.is_none()) {
        let names = (0..purchase.carts.len()).map(|index| purchase.cart_name(index));
        let orders = names.filter_map(|name| state.read(|known| known.closed.get(&name).cloned()));
        readers.extend(orders.flatten().map(Reader::Guest));
    }
    bar.set_length(readers.len() as u64);
    let mut pages = stream::iter(readers)
        .map(|reader| async move {
            let page = reader.read(shop).await;
            bar.inc(1);
            page
        })
        .buffer_unordered(concurrency);
    let mut books = ShopBooks::default();
    while let Some(page) = pages.next().await {
        match page {
            Ok(orders) => orders.into_iter().for_each(|order| books.enter(order)),
            Err(Trouble::Unexpected(what)) => books.faults.push(what),
            Err(Trouble::Fatal(error)) => return Err(error),
        }
    }
    Ok(books)
}

enum Reader {
    Customer(u32),
    Guest(String),
}

impl Reader {
    async fn read(self, shop: &Shop<'_>) -> Step<Vec<ShopOrder>> {
        match self {
            Self::Customer(customer) => shop.orders(customer).await,
            Self::Guest(order) => Ok(vec![shop.guest_order(&order).await?]),
        }
    }
}

impl ShopBooks {
    fn enter(&mut self, order: ShopOrder) {
        let ShopOrder { id, status, items, totals, metadata } = order;
        let Some(metadata) = metadata else {
            self.faults.push(format!("order {id}: it does not carry its cart's metadata"));
            return;
        };
        let cart = format!("{}/{}", metadata.invoice, metadata.part);
        let mut lines = BTreeMap::new();
        let mut sum = 0;
        for item in items {
            let (price, total) = (item.unit_price, item.line_total);
            if price.currency != "GBP" || total.amount != price.amount * item.quantity {
                self.faults.push(format!("order {cart}: the line of {} does not add up", item.sku));
            }
            sum += total.amount;
            if lines
                .insert(item.sku.clone(), Sold { units: item.quantity, unit_price: price.amount })
                .is_some()
            {
                self.faults.push(format!("order {cart}: two lines of {}", item.sku));
            }
        }
        if totals.total.amount != sum {
            let total = totals.total.amount;
            self.faults.push(format!("order {cart}: its total is {total}p, its lines have {sum}p"));
        }
        let cancelled = status == "cancelled";
        self.orders.push(Order { cart, date: metadata.date, country: metadata.country, lines, cancelled });
    }
}

/// The stock of every SKU, when nothing is held any more and the standing orders' units are sold, or as it is after
/// ten seconds.
pub(crate) async fn stock(
    shop: &Shop<'_>,
    before: &BTreeMap<String, Stock>,
    sold: &Units,
    concurrency: usize,
    bar: &ProgressBar,
) -> Result<BTreeMap<String, Stock>> {
    bar.set_length(before.len() as u64);
    let mut items = stream::iter(before)
        .map(|(sku, before)| async move {
            let expected = before.sold + sold.get(sku).copied().unwrap_or_default();
            let mut stock = shop.stock(sku).await;
            for _ in 1..LOOKS {
                match &stock {
                    Ok(stock) if stock.held != 0 || stock.sold != expected => sleep(PAUSE).await,
                    Ok(_) | Err(_) => break,
                }
                stock = shop.stock(sku).await;
            }
            bar.inc(1);
            (sku, stock)
        })
        .buffer_unordered(concurrency);
    let mut now = BTreeMap::new();
    while let Some((sku, stock)) = items.next().await {
        match stock {
            Ok(stock) => {
                now.insert(sku.clone(), stock);
            }
            // The comparison lists it as missing.
            Err(Trouble::Unexpected(_)) => {}
            Err(Trouble::Fatal(error)) => return Err(error),
        }
    }
    Ok(now)
}
