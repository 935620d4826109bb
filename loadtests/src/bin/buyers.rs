//! A crowd and one SKU: buyers compete for its units until there are none, through carts and checkouts and through
//! holds. Exactly what was there must have been sold.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use serde_json::{Value, json};
use smartcart_loadtests::{
    chaos::{
        cart::lines_of,
        client::{Answer, Client, Outcome, Request, Ticks},
    },
    rng::Rng,
};
use tokio::task::JoinSet;

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    base_url: String,
    /// File with the shop's service token.
    #[arg(long, default_value = "data/admin-token")]
    token_file: PathBuf,
    #[arg(long, default_value_t = 64)]
    buyers: u64,
    #[arg(long, default_value_t = 1000)]
    units: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The SKU to sell out: one that has no stock yet.
    #[arg(long)]
    sku: Option<String>,
}

/// How often a request whose outcome is unknown is sent again, with its key.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

struct Buyer {
    client: Client,
    rng: Rng,
    sku: String,
    /// Units in orders and in committed holds.
    ordered: u32,
    committed: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Try {
    Bought,
    SoldOut,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let address = address_of(&arguments.base_url)?;
    let token = std::fs::read_to_string(&arguments.token_file)
        .with_context(|| format!("reading {}", arguments.token_file.display()))?;
    let client = || Client::new(address, token.trim(), Ticks::default());
    let sku = arguments.sku.clone().unwrap_or_else(|| format!("CROWD-{}", std::process::id()));
    offer(&mut client(), &sku, arguments.units).await?;

    let mut crowd = JoinSet::new();
    for number in 0..arguments.buyers {
        let rng = Rng::new(arguments.seed).fork(number);
        let buyer = Buyer { client: client(), rng, sku: sku.clone(), ordered: 0, committed: 0 };
        crowd.spawn(buyer.buy_until_sold_out());
    }
    let (mut ordered, mut committed) = (0, 0);
    while let Some(buyer) = crowd.join_next().await {
        let buyer = buyer.context("a buyer")??;
        ordered += buyer.ordered;
        committed += buyer.committed;
    }
    judge(&mut client(), &arguments, &sku, ordered, committed).await
}

/// A new product with so many units.
async fn offer(client: &mut Client, sku: &str, units: u32) -> anyhow::Result<()> {
    let variant = json!({ "sku": sku, "attributes": {}, "prices": [{ "amount": 9900, "currency": "USD" }] });
    let product = json!({
        "name": "One that everybody wants", "description": "", "category": "test", "images": [], "variants": [variant],
    });
    let product = keyless("PUT", format!("/v1/products/{}", sku.to_lowercase()), Some(product));
    done(client, &product).await?;
    done(client, &keyless("PUT", format!("/v1/inventory/{sku}"), Some(json!({ "on_hand": units })))).await?;
    Ok(())
}

/// What the shop says was sold, and what the buyers say that they bought.
async fn judge(
    client: &mut Client,
    arguments: &Arguments,
    sku: &str,
    ordered: u32,
    committed: u32,
) -> anyhow::Result<ExitCode> {
    let level = done(client, &Request::read(format!("/v1/inventory/{sku}"), true)).await?.body;
    let units = |name: &str| level[name].as_u64().with_context(|| format!("no `{name}` in {level}"));
    let (on_hand, held, sold) = (units("on_hand")?, units("held")?, units("sold")?);
    println!(
        "{} buyers, {} units: {ordered} ordered and {committed} bought by holds; the shop sold {sold}, {on_hand} on hand, {held} held",
        arguments.buyers, arguments.units
    );
    let exact = sold == u64::from(arguments.units)
        && on_hand == 0
        && held == 0
        && u64::from(ordered) + u64::from(committed) == sold;
    if exact {
        return Ok(ExitCode::SUCCESS);
    }
    println!("NOT exactly {} sold", arguments.units);
    Ok(ExitCode::FAILURE)
}

impl Buyer {
    async fn buy_until_sold_out(mut self) -> anyhow::Result<Self> {
        loop {
            let quantity = [1, 2, 3][self.rng.below(3)];
            let tried = self.buy(quantity).await?;
            // Two may be too many where one is left.
            if tried == Try::SoldOut && (quantity == 1 || self.buy(1).await? == Try::SoldOut) {
                return Ok(self);
            }
        }
    }

    async fn buy(&mut self, quantity: u32) -> anyhow::Result<Try> {
        if self.rng.chance(50) {
            self.buy_by_checkout(quantity).await
        } else {
            self.buy_by_hold(quantity).await
        }
    }

    async fn buy_by_checkout(&mut self, quantity: u32) -> anyhow::Result<Try> {
        let cart = self.post("/v1/carts".to_owned(), json!({ "currency": "USD" }), false).await?;
        let cart = id_of(&expect_done(cart)?)?;
        let item = json!({ "sku": self.sku, "quantity": quantity });
        let added = self.post(format!("/v1/carts/{cart}/items"), item, false).await?;
        expect_done(added)?;
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
        let held = self.post(holds.clone(), json!({ "quantity": quantity }), true).await?;
        let Outcome::Acknowledged(answer) = held else { return sold_out(&held) };
        let hold = format!("{holds}/{}", id_of(&answer)?);
        // Some think better of it; the crowd gets those units.
        if self.rng.chance(10) {
            let key = Some(self.key());
            let release = Request { method: "DELETE", path: hold, body: None, key, service: true };
            expect_done(settled(&mut self.client, &release).await?)?;
            return Ok(Try::Bought);
        }
        let key = Some(self.key());
        let commit =
            Request { method: "POST", path: format!("{hold}/commit"), body: None, key, service: true };
        expect_done(settled(&mut self.client, &commit).await?)?;
        self.committed += quantity;
        Ok(Try::Bought)
    }

    async fn post(&mut self, path: String, body: Value, service: bool) -> anyhow::Result<Outcome> {
        let key = Some(self.key());
        settled(&mut self.client, &Request { method: "POST", path, body: Some(body), key, service }).await
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
    expect_done(settled(client, request).await?)
}

fn expect_done(outcome: Outcome) -> anyhow::Result<Answer> {
    match outcome {
        Outcome::Acknowledged(answer) => Ok(answer),
        other => bail!("unexpected: {other:?}"),
    }
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

fn keyless(method: &'static str, path: String, body: Option<Value>) -> Request {
    Request { method, path, body, key: None, service: true }
}

fn address_of(base_url: &str) -> anyhow::Result<SocketAddr> {
    let authority = base_url.strip_prefix("http://").context("the base URL begins with http://")?;
    let mut found = authority.trim_end_matches('/').to_socket_addrs()?;
    found.next().with_context(|| format!("{authority} has no address"))
}
