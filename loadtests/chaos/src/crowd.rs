//! A crowd and one SKU: buyers compete for its units until there are none, through carts and checkouts and through
//! holds. Exactly what was there must have been sold.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rand::{Rng as _, RngExt as _};
use serde_json::{Value, json};
use smartcart_testkit::{
    http::{Caller, Request},
    random::{Fork as _, Rng, seeded},
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    cart::lines_of,
    client::{Answer, Client, Outcome, Ticks},
    endpoints::Endpoints,
};

/// What the crowd wants, and how many there are.
#[derive(Debug, Clone)]
pub struct Sale {
    pub sku: String,
    pub units: u32,
    pub buyers: u64,
    /// Of them at work at once.
    pub at_once: usize,
    /// Every so many of a hundred holds are forgotten by whoever asked for them, and end by themselves.
    pub forgotten: u32,
    pub seed: u64,
    /// Units that buyers have got so far, forgotten ones too.
    pub taken: Arc<watch::Sender<u32>>,
}

/// What was found in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takings {
    pub ordered: u64,
    pub committed: u64,
    pub sold: u64,
    pub on_hand: u64,
    pub held: u64,
}

/// The time of a hold that is going to be forgotten.
const FORGOTTEN_SECONDS: u64 = 3;
/// How long after the crowd has gone a hold may still be there: a checkout's that came late, after its pod's death, asks
/// its cart after half a minute.
const HOLDS_END_WITHIN: Duration = Duration::from_secs(45);

/// How often a request whose outcome is unknown is sent again, with its key.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

struct Buyer {
    client: Client,
    rng: Rng,
    sku: String,
    forgotten: u32,
    taken: Arc<watch::Sender<u32>>,
    holds: bool,
    /// Units in orders and in committed holds.
    ordered: u32,
    committed: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Try {
    Bought,
    SoldOut,
}

impl Sale {
    /// Offers the units and lets the crowd in. It ends when nobody gets anything any more.
    pub async fn run(&self, endpoints: &Arc<Endpoints>, token: &str) -> anyhow::Result<Takings> {
        let client = || Client::new(endpoints.clone(), token, Ticks::default());
        offer(&mut client(), &self.sku, self.units).await?;
        let at_once = Arc::new(Semaphore::new(self.at_once));
        let mut crowd = JoinSet::new();
        for number in 0..self.buyers {
            let buyer = self.buyer(client(), number);
            let at_once = at_once.clone();
            crowd.spawn(async move {
                let _turn = at_once.acquire().await?;
                buyer.buy_until_sold_out().await
            });
        }
        let (mut ordered, mut committed) = (0, 0);
        let mut count = |buyer: Buyer| {
            ordered += u64::from(buyer.ordered);
            committed += u64::from(buyer.committed);
        };
        while let Some(buyer) = crowd.join_next().await {
            count(buyer.context("a buyer")??);
        }
        let began = Instant::now();
        for late in self.buyers.. {
            // What was forgotten comes back: somebody takes it, and each has keys of his own.
            count(self.buyer(client(), late).without_holds().buy_until_sold_out().await?);
            let (sold, on_hand, held) = level(&mut client(), &self.sku).await?;
            if (on_hand, held) == (0, 0) || began.elapsed() > HOLDS_END_WITHIN {
                return Ok(Takings { ordered, committed, sold, on_hand, held });
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("there are no more buyers")
    }

    fn buyer(&self, client: Client, number: u64) -> Buyer {
        let rng = seeded(self.seed).fork(number);
        Buyer {
            client,
            rng,
            sku: self.sku.clone(),
            forgotten: self.forgotten,
            taken: self.taken.clone(),
            holds: true,
            ordered: 0,
            committed: 0,
        }
    }
}

impl Takings {
    pub fn is_exact(&self, units: u32) -> bool {
        self.sold == u64::from(units)
            && self.on_hand == 0
            && self.held == 0
            && self.ordered + self.committed == self.sold
    }
}

impl std::fmt::Display for Takings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ordered, committed, sold, on_hand, held } = self;
        write!(
            f,
            "{ordered} ordered and {committed} bought by holds; the shop sold {sold}, {on_hand} on hand, {held} held"
        )
    }
}

async fn level(client: &mut Client, sku: &str) -> anyhow::Result<(u64, u64, u64)> {
    let level = done(client, &Request::get(format!("/v1/inventory/{sku}")).by_service()).await?.body;
    let units = |name: &str| level[name].as_u64().with_context(|| format!("no `{name}` in {level}"));
    Ok((units("sold")?, units("on_hand")?, units("held")?))
}

/// A new product with so many units.
async fn offer(client: &mut Client, sku: &str, units: u32) -> anyhow::Result<()> {
    let variant = json!({ "sku": sku, "attributes": {}, "prices": [{ "amount": 9900, "currency": "USD" }] });
    let product = json!({
        "name": "One that everybody wants", "description": "", "category": "test", "images": [], "variants": [variant],
    });
    let product = Request::put(format!("/v1/products/{}", sku.to_lowercase()), product).by_service();
    done(client, &product).await?;
    let stock = Request::put(format!("/v1/inventory/{sku}"), json!({ "on_hand": units })).by_service();
    done(client, &stock).await?;
    Ok(())
}

impl Buyer {
    fn without_holds(self) -> Self {
        Self { holds: false, ..self }
    }

    async fn buy_until_sold_out(mut self) -> anyhow::Result<Self> {
        loop {
            let quantity = self.rng.random_range(1..=3);
            let tried = self.buy(quantity).await?;
            if tried == Try::Bought {
                self.taken.send_modify(|taken| *taken += quantity);
            }
            // Two may be too many where one is left.
            if tried == Try::SoldOut && (quantity == 1 || self.buy(1).await? == Try::SoldOut) {
                return Ok(self);
            }
        }
    }

    async fn buy(&mut self, quantity: u32) -> anyhow::Result<Try> {
        if !self.holds || self.rng.random_ratio(50, 100) {
            self.buy_by_checkout(quantity).await
        } else {
            self.buy_by_hold(quantity).await
        }
    }

    async fn buy_by_checkout(&mut self, quantity: u32) -> anyhow::Result<Try> {
        let cart = self.post("/v1/carts".to_owned(), json!({ "currency": "USD" }), false).await?;
        let cart = id_of(&cart.done()?)?;
        let item = json!({ "sku": self.sku, "quantity": quantity });
        let added = self.post(format!("/v1/carts/{cart}/items"), item, false).await?;
        added.done()?;
        let body = json!({ "email": "crowd@example.com" });
        match self.post(format!("/v1/carts/{cart}/checkout"), body, false).await? {
            Outcome::Acknowledged(answer) => {
                let lines = lines_of(&answer.body).context("an order's lines")?;
                ensure!(
                    lines.get(&self.sku) == Some(&quantity),
                    "{quantity} were asked for, {lines:?} ordered"
                );
                self.ordered += quantity;
                Ok(Try::Bought)
            }
            other => sold_out(&other),
        }
    }

    async fn buy_by_hold(&mut self, quantity: u32) -> anyhow::Result<Try> {
        let holds = format!("/v1/inventory/{}/holds", self.sku);
        let forgets = self.rng.random_ratio(self.forgotten, 100);
        let ttl = if forgets { FORGOTTEN_SECONDS } else { 900 };
        let held =
            self.post(holds.clone(), json!({ "quantity": quantity, "ttl_seconds": ttl }), true).await?;
        let Outcome::Acknowledged(answer) = held else { return sold_out(&held) };
        if forgets {
            return Ok(Try::Bought);
        }
        let hold = format!("{holds}/{}", id_of(&answer)?);
        // Some think better of it; the crowd gets those units.
        if self.rng.random_ratio(10, 100) {
            let release = Request::new("DELETE", hold).key(self.key()).by_service();
            settled(&mut self.client, &release).await?.done()?;
            return Ok(Try::Bought);
        }
        let commit = Request::new("POST", format!("{hold}/commit")).key(self.key()).by_service();
        settled(&mut self.client, &commit).await?.done()?;
        self.committed += quantity;
        Ok(Try::Bought)
    }

    async fn post(&mut self, path: String, body: Value, service: bool) -> anyhow::Result<Outcome> {
        let caller = if service { Caller::Service } else { Caller::Guest };
        let request = Request::post(path, body).key(self.key()).by(caller);
        settled(&mut self.client, &request).await
    }

    fn key(&mut self) -> String {
        format!("crowd-{}-{:016x}{:016x}", std::process::id(), self.rng.next_u64(), self.rng.next_u64())
    }
}

/// Sends until the outcome is known.
async fn settled(client: &mut Client, request: &Request) -> anyhow::Result<Outcome> {
    for _ in 0..ATTEMPTS {
        match client.send(request).await.outcome {
            Outcome::NotSent | Outcome::Indeterminate(_) => tokio::time::sleep(PAUSE).await,
            known => return Ok(known),
        }
    }
    bail!("{request:?} got no answer in {ATTEMPTS} attempts")
}

async fn done(client: &mut Client, request: &Request) -> anyhow::Result<Answer> {
    settled(client, request).await?.done()
}

/// A refusal must say that the stock does not suffice.
fn sold_out(outcome: &Outcome) -> anyhow::Result<Try> {
    match outcome {
        Outcome::Refused(answer) if answer.status == 409 && answer.body["code"] == "insufficient_stock" => {
            Ok(Try::SoldOut)
        }
        other => bail!("unexpected: {other:?}"),
    }
}

fn id_of(answer: &Answer) -> anyhow::Result<String> {
    Ok(answer.body["id"].as_str().with_context(|| format!("no id in {}", answer.body))?.to_owned())
}
