//! SmartCart's HTTP API as a shopper and the shop's staff see it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use smartcart_replay::trade::compare::Stock;
use smartcart_replay::trade::plan::Add;
use smartcart_testkit::http::{Caller, Client, Request, Response};
use tokio::sync::{Mutex, Semaphore};

use crate::state::State;

/// A request is tried again for this long: time enough to restart a server.
const PATIENCE: Duration = Duration::from_secs(120);
const PAGE: usize = 100;
/// Shoppers who sign up or in at once: passwords are hashed a few at a time, and a longer queue is only turned away.
const SIGNING_IN: usize = 16;

/// Why a step did not succeed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The shop answered something else than it should: a difference, to be listed.
    Unexpected(String),
    /// The shop cannot be reached, or the replay cannot go on.
    Fatal(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Fatal(error)
    }
}

pub(crate) type Step<T> = Result<T, Trouble>;

/// The shop, and the shoppers' accounts there.
#[derive(Debug)]
pub(crate) struct Shop<'a> {
    pub(crate) client: Client,
    /// Has the prefix of all keys, and who has an account.
    state: &'a State,
    accounts: HashMap<u32, Account>,
    sign_ins: Semaphore,
}

/// A known customer's account.
#[derive(Debug, Default)]
struct Account {
    /// An access token, once signed in.
    token: Mutex<Option<String>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Money {
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ShopOrder {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) items: Vec<ShopOrderItem>,
    pub(crate) totals: Totals,
    pub(crate) metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ShopOrderItem {
    pub(crate) sku: String,
    pub(crate) quantity: i64,
    pub(crate) unit_price: Money,
    pub(crate) line_total: Money,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Totals {
    pub(crate) total: Money,
}

/// What the replay writes on its carts, and the orders carry.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) invoice: String,
    pub(crate) part: String,
    pub(crate) date: String,
    pub(crate) country: String,
}

/// A line that the shop has less of than the cart asks for.
#[derive(Debug, Deserialize)]
pub(crate) struct Shortage {
    pub(crate) sku: String,
    pub(crate) available: i64,
}

/// How a checkout ended.
#[derive(Debug)]
pub(crate) enum Checkout {
    Placed { order: String },
    Short(Vec<Shortage>),
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Session {
    access_token: String,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<ShopOrder>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Shortages {
    items: Vec<Shortage>,
}

#[derive(Deserialize)]
struct StockItem {
    on_hand: i64,
    held: i64,
    sold: i64,
}

impl From<StockItem> for Stock {
    fn from(StockItem { on_hand, held, sold }: StockItem) -> Self {
        Self { on_hand, held, sold }
    }
}

impl<'a> Shop<'a> {
    pub(crate) fn new(
        base_urls: &[String],
        service_token: String,
        state: &'a State,
        customers: impl Iterator<Item = u32>,
    ) -> Result<Self> {
        Ok(Self {
            client: Client::new(base_urls, service_token, PATIENCE)?,
            state,
            accounts: customers.map(|customer| (customer, Account::default())).collect(),
            sign_ins: Semaphore::new(SIGNING_IN),
        })
    }

    pub(crate) async fn create_cart(&self, buyer: Option<u32>, cart: &str, metadata: Value) -> Step<String> {
        let body = json!({ "currency": "GBP", "metadata": metadata });
        let call = Request::post("/v1/carts", body).key(self.key(cart, "create"));
        let created: Id = expect(201, &self.buyer_sends(buyer, call).await?, cart)?;
        Ok(created.id)
    }

    /// One line, whatever the shop makes of it. `step` tells this request's key from the cart's other ones.
    pub(crate) async fn add(
        &self,
        buyer: Option<u32>,
        cart: &str,
        id: &str,
        add: &Add,
        step: &str,
    ) -> Step<Response> {
        let body = json!({ "sku": add.sku, "quantity": add.quantity });
        let call = Request::post(format!("/v1/carts/{id}/items"), body).key(self.key(cart, step));
        Ok(self.buyer_sends(buyer, call).await?)
    }

    /// One operation, `add` or `set`, for each of the lines: all or nothing.
    pub(crate) async fn batch(
        &self,
        buyer: Option<u32>,
        cart: &str,
        id: &str,
        (op, lines): (&str, &[Add]),
        step: &str,
    ) -> Step<()> {
        let operations: Vec<Value> = lines
            .iter()
            .map(|Add { sku, quantity }| json!({ "op": op, "sku": sku, "quantity": quantity }))
            .collect();
        let body = json!({ "mode": "atomic", "operations": operations });
        let call = Request::post(format!("/v1/carts/{id}/batch"), body).key(self.key(cart, step));
        let _: Value = expect(200, &self.buyer_sends(buyer, call).await?, cart)?;
        Ok(())
    }

    pub(crate) async fn check_out(
        &self,
        buyer: Option<u32>,
        cart: &str,
        id: &str,
        attempt: u32,
    ) -> Step<Checkout> {
        let email = buyer.map_or_else(
            || self.email(&format!("guest-{}", cart.replace('/', "-"))),
            |n| self.email(&n.to_string()),
        );
        let call = Request::post(format!("/v1/carts/{id}/checkout"), json!({ "email": email }))
            .key(self.key(cart, &format!("checkout-{attempt}")));
        let reply = self.buyer_sends(buyer, call).await?;
        if reply.status == 409 && reply.code() == "insufficient_stock" {
            let shortages: Shortages = reply.json()?;
            return Ok(Checkout::Short(shortages.items));
        }
        let order: Id = expect(201, &reply, cart)?;
        Ok(Checkout::Placed { order: order.id })
    }

    pub(crate) async fn cancel(&self, customer: u32, invoice: &str, order: &str) -> Step<()> {
        let path = format!("/v1/orders/{order}/cancel");
        let call = Request::post(path, json!({})).key(self.key(invoice, &format!("cancel-{order}")));
        let _: Value = expect(200, &self.buyer_sends(Some(customer), call).await?, invoice)?;
        Ok(())
    }

    /// All orders of a known customer.
    pub(crate) async fn orders(&self, customer: u32) -> Step<Vec<ShopOrder>> {
        let mut orders = Vec::new();
        let mut cursor = None;
        loop {
            let from: String = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
            let call = Request::get(format!("/v1/orders?limit={PAGE}{from}"));
            let reply = self.buyer_sends(Some(customer), call).await?;
            let page: Page = expect(200, &reply, &format!("orders of {customer}"))?;
            orders.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(orders),
            }
        }
    }

    /// A guest's order: whoever knows its id may read it.
    pub(crate) async fn guest_order(&self, id: &str) -> Step<ShopOrder> {
        let reply = self.client.send(&Request::get(format!("/v1/orders/{id}"))).await?;
        expect(200, &reply, &format!("order {id}"))
    }

    pub(crate) async fn stock(&self, sku: &str) -> Step<Stock> {
        let reply = self.client.send(&Request::get(format!("/v1/inventory/{sku}")).by_service()).await?;
        let item: StockItem = expect(200, &reply, sku)?;
        Ok(item.into())
    }

    /// Sets a SKU's stock once for this replay, and says what it was right then.
    pub(crate) async fn put_stock(&self, sku: &str, on_hand: i64) -> Step<Stock> {
        let call = Request::put(format!("/v1/inventory/{sku}"), json!({ "on_hand": on_hand }))
            .key(self.key(sku, "stock"))
            .by_service();
        let reply = self.client.send(&call).await?;
        let item: StockItem = expect_success(&reply, sku)?;
        Ok(item.into())
    }

    /// The product as JSON; `None` if the shop has none of that id.
    pub(crate) async fn product(&self, id: &str) -> Step<Option<Value>> {
        let reply = self.client.send(&Request::get(format!("/v1/products/{id}"))).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        expect(200, &reply, id).map(Some)
    }

    pub(crate) async fn put_product(&self, id: &str, product: Value) -> Step<()> {
        let call =
            Request::put(format!("/v1/products/{id}"), product).key(self.key(id, "product")).by_service();
        let _: Value = expect_success(&self.client.send(&call).await?, id)?;
        Ok(())
    }

    /// Sends a shopper's request: as the known customer, signed in, or as a guest.
    async fn buyer_sends(&self, buyer: Option<u32>, call: Request) -> Result<Response> {
        let Some(customer) = buyer else { return self.client.send(&call).await };
        let account =
            self.accounts.get(&customer).with_context(|| format!("customer {customer} has no account"))?;
        let token = self.signed_in(account, customer, None).await?;
        let reply = self.client.send(&call.clone().by(Caller::User(token.clone()))).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let token = self.signed_in(account, customer, Some(&token)).await?;
        self.client.send(&call.by(Caller::User(token))).await
    }

    /// An access token other than the `stale` one. Signs up on the first use.
    async fn signed_in(&self, account: &Account, customer: u32, stale: Option<&str>) -> Result<String> {
        let mut held = account.token.lock().await;
        if let Some(token) = held.as_deref().filter(|token| Some(*token) != stale) {
            return Ok(token.to_owned());
        }
        let _turn = self.sign_ins.acquire().await?;
        let number = customer.to_string();
        let (email, password) = (self.email(&number), format!("{}-{number}", self.state.run));
        if !self.state.read(|known| known.accounts.contains(&customer)) {
            let body = json!({ "email": email, "password": password, "name": format!("Customer {number}") });
            let reply =
                self.client.send(&Request::post("/v1/users", body).key(self.key(&number, "sign-up"))).await?;
            // A conflict is an account that an earlier try has made.
            let fine = reply.status == 201 || reply.status == 409;
            anyhow::ensure!(fine, "customer {number} cannot sign up: {reply}");
            self.state.signed_up(customer)?;
        }
        let body = json!({ "email": email, "password": password });
        let reply = self.client.send(&Request::post("/v1/sessions", body)).await?;
        anyhow::ensure!(reply.is_success(), "customer {number} cannot sign in: {reply}");
        let session: Session = reply.json()?;
        Ok(held.insert(session.access_token).clone())
    }

    fn email(&self, who: &str) -> String {
        format!("{who}.{}@shoppers.example", self.state.run)
    }

    fn key(&self, what: &str, step: &str) -> String {
        format!("{}-{what}-{step}", self.state.run)
    }
}

fn expect<T: serde::de::DeserializeOwned>(status: u16, reply: &Response, what: &str) -> Step<T> {
    if reply.status == status { Ok(reply.json()?) } else { Err(unexpected(reply, what)) }
}

fn expect_success<T: serde::de::DeserializeOwned>(reply: &Response, what: &str) -> Step<T> {
    if reply.is_success() { Ok(reply.json()?) } else { Err(unexpected(reply, what)) }
}

pub(crate) fn unexpected(reply: &Response, what: &str) -> Trouble {
    Trouble::Unexpected(format!("{what}: the shop answers {reply}"))
}
