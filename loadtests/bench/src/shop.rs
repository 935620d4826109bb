//! The shop that is measured: 1,000 SKUs, carts with baskets, stock that never runs out.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
};

use anyhow::{Context, ensure};
use rand_distr::{Distribution as _, Zipf};
use serde_json::{Value, json};
use smartcart_testkit::{
    http::{Response, render},
    random::{Fork as _, Rng, seeded},
};

use crate::{
    load::send_all,
    source::{Limited, Prepared, Repeated},
};

pub const SKUS: u32 = 1000;
/// The exponent of both distributions.
pub const EXPONENT: f64 = 0.99;
/// A cart's shopper draws from so many SKUs at most: real carts are small, and replies with them.
const BASKET: usize = 5;
/// The SKU that holds are placed on.
pub const HOT_SKU: &str = "BENCH-0000";
const VARIANTS_PER_PRODUCT: usize = 250;
const ON_HAND: u64 = 1_000_000_000;
const CONNECTIONS: usize = 64;
/// Draws of carts, made beforehand.
const DRAWS: usize = 1 << 20;

#[derive(Debug)]
pub struct Shop {
    skus: Vec<String>,
    /// Ids, all of one length.
    pub carts: Vec<String>,
    /// For each cart, the SKUs that go into it.
    pub baskets: Vec<Vec<u32>>,
    pub cart_draws: Rc<[u32]>,
}

impl Shop {
    pub fn sku(&self, rank: u32) -> &str {
        &self.skus[rank as usize]
    }

    /// Stocks the catalogue and creates empty carts.
    pub async fn set_up(address: SocketAddr, token: &str, carts: usize, seed: u64) -> anyhow::Result<Self> {
        let skus: Vec<String> = (0..SKUS).map(sku_of).collect();
        send_and_expect(address, stocking(&skus, token), 200..300).await?;
        Self::with_carts(skus, create_carts(address, carts).await?, seed)
    }

    /// The same shop with these carts, which are its own too: baskets and draws are made for them.
    pub fn of(&self, carts: Vec<String>, seed: u64) -> anyhow::Result<Self> {
        Self::with_carts(self.skus.clone(), carts, seed)
    }

    fn with_carts(skus: Vec<String>, carts: Vec<String>, seed: u64) -> anyhow::Result<Self> {
        let mut rng = seeded(seed);
        let by_sku = Ranks::new(SKUS)?;
        let baskets = carts.iter().map(|_| basket(&by_sku, &mut rng)).collect();
        let by_cart = Ranks::new(u32::try_from(carts.len())?)?;
        // Beforehand, so that drawing costs nothing while it is measured.
        let cart_draws = (0..DRAWS).map(|_| by_cart.draw(&mut rng)).collect();
        Ok(Self { skus, carts, baskets, cart_draws })
    }

    #[cfg(test)]
    pub fn for_test(carts: Vec<String>) -> Self {
        Self::with_carts((0..SKUS).map(sku_of).collect(), carts, 1).unwrap()
    }

    /// Puts each basket into its cart, so that the first measured reply is as long as the last.
    pub async fn fill(&self, address: SocketAddr) -> anyhow::Result<()> {
        let requests = self.carts.iter().zip(&self.baskets).map(|(cart, basket)| {
            let skus: Vec<&str> = basket.iter().map(|rank| self.sku(*rank)).collect();
            batch_of(cart, &skus)
        });
        send_and_expect(address, requests.collect(), 200..201).await
    }

    /// Units that `fill` puts into all carts together.
    pub fn filled(&self) -> u64 {
        self.baskets.iter().map(|basket| basket.len() as u64).sum()
    }

    /// Units that all carts have together, each read once.
    pub async fn units(&self, address: SocketAddr) -> anyhow::Result<u64> {
        let requests = self.carts.iter().map(|cart| render("GET", &format!("/v1/carts/{cart}"), &[], None));
        let sum = Rc::new(Cell::new(0));
        let summing = sum.clone();
        send_all(address, CONNECTIONS, Prepared::new(requests.collect()), move |response| {
            ensure!(response.status == 200, "a cart was answered {}: {}", response.status, text(response));
            summing.set(summing.get() + units_of(&response.body)?);
            Ok(())
        })
        .await?;
        Ok(sum.get())
    }
}

fn sku_of(rank: u32) -> String {
    format!("BENCH-{rank:04}")
}

/// Zipf's law over ranks from 0: the rank `k` is drawn with a probability proportional to `1 / (k + 1)^EXPONENT`.
#[derive(Debug)]
struct Ranks(Zipf<f64>);

impl Ranks {
    fn new(ranks: u32) -> anyhow::Result<Self> {
        Ok(Self(Zipf::new(f64::from(ranks), EXPONENT).context("a distribution over nothing")?))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is a whole number between 1 and a u32"
    )]
    fn draw(&self, rng: &mut Rng) -> u32 {
        self.0.sample(rng) as u32 - 1
    }
}

fn basket(by_sku: &Ranks, rng: &mut Rng) -> Vec<u32> {
    let mut basket: Vec<u32> = (0..BASKET).map(|_| by_sku.draw(rng)).collect();
    basket.sort_unstable();
    basket.dedup();
    basket
}

/// Adds one unit of each SKU.
pub fn batch_of(cart: &str, skus: &[&str]) -> Vec<u8> {
    let operations: Vec<Value> =
        skus.iter().map(|sku| json!({ "op": "add", "sku": sku, "quantity": 1 })).collect();
    let body = json!({ "mode": "atomic", "operations": operations }).to_string();
    render("POST", &format!("/v1/carts/{cart}/batch"), &[], Some(&body))
}

/// The catalogue's products and the stock of each SKU.
fn stocking(skus: &[String], token: &str) -> Vec<Vec<u8>> {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let put = |path: String, body: &Value| render("PUT", &path, &headers, Some(&body.to_string()));
    let variant =
        |sku| json!({ "sku": sku, "attributes": {}, "prices": [{ "amount": 1999, "currency": "USD" }] });
    let products = skus.chunks(VARIANTS_PER_PRODUCT).enumerate().map(|(number, skus)| {
        let variants: Vec<Value> = skus.iter().map(variant).collect();
        let product = json!({
            "name": format!("Bench {number}"), "description": "", "category": "bench", "images": [],
            "variants": variants,
        });
        put(format!("/v1/products/bench-{number}"), &product)
    });
    let stock = skus.iter().map(|sku| put(format!("/v1/inventory/{sku}"), &json!({ "on_hand": ON_HAND })));
    products.chain(stock).collect()
}

/// Creates carts and answers their ids.
pub async fn create_carts(address: SocketAddr, count: usize) -> anyhow::Result<Vec<String>> {
    let ids = Rc::new(RefCell::new(Vec::with_capacity(count)));
    let request = render("POST", "/v1/carts", &[], Some("{\"currency\":\"USD\"}"));
    let source = Limited { of: Repeated(request), left: count };
    let kept = ids.clone();
    send_all(address, CONNECTIONS, source, move |response| {
        ensure!(
            response.status == 201,
            "creating a cart was answered {}: {}",
            response.status,
            text(response)
        );
        kept.borrow_mut().push(id_of(&response.body)?);
        Ok(())
    })
    .await?;
    let ids = ids.take();
    ensure!(ids.len() == count, "{} carts were created, not {count}", ids.len());
    Ok(ids)
}

/// Carts with three lines each, and the requests that check them out.
pub async fn prepare_checkouts(
    shop: &Shop,
    address: SocketAddr,
    count: usize,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let carts = create_carts(address, count).await?;
    let mut rng = seeded(count as u64).fork(carts.len() as u64);
    let by_sku = Ranks::new(SKUS)?;
    let three_lines = |cart: &String| {
        let mut ranks = Vec::with_capacity(3);
        while ranks.len() < 3 {
            let rank = by_sku.draw(&mut rng);
            if !ranks.contains(&rank) {
                ranks.push(rank);
            }
        }
        let skus: Vec<&str> = ranks.into_iter().map(|rank| shop.sku(rank)).collect();
        batch_of(cart, &skus)
    };
    send_and_expect(address, carts.iter().map(three_lines).collect(), 200..201).await?;
    let checkout = |cart: &String| {
        let path = format!("/v1/carts/{cart}/checkout");
        render("POST", &path, &[("idempotency-key", cart)], Some("{\"email\":\"bench@example.com\"}"))
    };
    Ok(carts.iter().map(checkout).collect())
}

/// Sends requests that must all be answered with a status in `expected`.
pub async fn send_and_expect(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    expected: std::ops::Range<u16>,
) -> anyhow::Result<()> {
    send_all(address, CONNECTIONS, Prepared::new(requests), move |response| {
        ensure!(
            expected.contains(&response.status),
            "setting up was answered {}: {}",
            response.status,
            text(response)
        );
        Ok(())
    })
    .await
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

fn units_of(body: &[u8]) -> anyhow::Result<u64> {
    #[derive(serde::Deserialize)]
    struct Totals {
        quantity: u64,
    }
    #[derive(serde::Deserialize)]
    struct Cart {
        totals: Totals,
    }
    Ok(serde_json::from_slice::<Cart>(body).context("a cart")?.totals.quantity)
}

fn id_of(body: &[u8]) -> anyhow::Result<String> {
    #[derive(serde::Deserialize)]
    struct Created {
        id: String,
    }
    Ok(serde_json::from_slice::<Created>(body).context("a created cart")?.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_follow_the_law() {
        let (ranks, draws) = (1000_u32, 400_000);
        let by_rank = Ranks::new(ranks).unwrap();
        let mut rng = seeded(1);
        let mut counts = vec![0_u32; 1000];
        for _ in 0..draws {
            counts[by_rank.draw(&mut rng) as usize] += 1;
        }
        let norm: f64 = (1..=ranks).map(|rank| f64::from(rank).powf(-EXPONENT)).sum();
        for rank in [1_u32, 2, 10, 100] {
            let expected = 400_000.0 * f64::from(rank).powf(-EXPONENT) / norm;
            let seen = f64::from(counts[rank as usize - 1]);
            assert!(
                (seen - expected).abs() < 6.0 * expected.sqrt(),
                "rank {rank}: {seen}, expected {expected}"
            );
        }
    }

    #[test]
    fn one_rank_is_always_drawn() {
        assert_eq!(Ranks::new(1).unwrap().draw(&mut seeded(3)), 0);
    }
}
