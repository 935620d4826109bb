//! Carts that are full of keys are checked out, and the checkout is sent again and again: each time, the shop makes sure that
//! the tables have the cart, out of the flush's turn.

use std::{sync::Arc, time::Duration};

use rand::{Rng as _, RngExt as _};
use serde_json::json;
use smartcart_testkit::{http::Request, random::Rng, report::Violation};
use tokio::time::Instant;

use super::repeat::Pair;
use crate::{cart::lines_of, client::Answer, session::Session};

/// A cart with so many keys is no longer written whole with each change.
const KEYS: usize = 17;
/// What a buyer's checkout is repeated.
const REPLAYS: usize = 60;
const PAUSE: Duration = Duration::from_millis(4);
const SKU: &str = "CHAOS-1";

/// What buyers did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bought {
    pub checkouts: usize,
    pub replays: usize,
}

#[derive(Debug)]
pub struct Buyer {
    pair: Pair,
    rng: Rng,
}

impl Buyer {
    pub fn new(session: &Arc<Session>, rng: Rng) -> Self {
        Self { pair: Pair { first: session.client(), rival: session.client() }, rng }
    }

    /// Buys until it is time to stop, or something is wrong.
    pub async fn run(mut self, until: Instant) -> Result<Bought, Violation> {
        let mut bought = Bought::default();
        while Instant::now() < until {
            bought.replays += self.buy().await?;
            bought.checkouts += 1;
        }
        Ok(bought)
    }

    async fn buy(&mut self) -> Result<usize, Violation> {
        let create = Request::post("/v1/carts", json!({ "currency": "USD" })).key(self.key());
        let cart = id_of(&self.pair.once(&create).await?)?;
        let path = format!("/v1/carts/{cart}");
        let keys = KEYS + self.rng.random_range(0..8);
        for _ in 0..keys {
            let add = Request::post(format!("{path}/items"), json!({ "sku": SKU, "quantity": 1 }));
            let add = add.key(self.key());
            self.pair.once(&add).await?;
        }
        // Some are checked out in the flush that has their last change, others in the next one.
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..1_200))).await;
        let checkout = Request::post(format!("{path}/checkout"), json!({ "email": "replays@example.com" }));
        let checkout = checkout.key(self.key());
        let repeated = self.pair.send(&checkout, REPLAYS, PAUSE).await?;
        let lines = lines_of(&repeated.answer.body).unwrap_or_default();
        if lines.get(SKU).copied().map(|units| units as usize) != Some(keys) {
            let what = format!("cart {cart} had {keys} units and was ordered with {lines:?}");
            return Err(Violation::new("order_lines", what));
        }
        Ok(repeated.times - 1)
    }

    fn key(&mut self) -> String {
        format!("replays-{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }
}

pub fn id_of(answer: &Answer) -> Result<String, Violation> {
    let id = answer.body["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Violation::new("no_id", format!("{answer:?}")))
}
