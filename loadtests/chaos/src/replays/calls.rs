//! Every kind of call that takes a key, on things of its own that nobody else changes: each is made once, by its version.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{Rng as _, RngExt as _};
use serde_json::{Value, json};
use smartcart_testkit::{
    http::{Caller, Request},
    random::Rng,
    report::Violation,
};
use tokio::time::Instant;

use super::{checkouts::id_of, repeat::Pair};
use crate::{client::Answer, session::Session};

/// Nobody else's.
pub const SKU: &str = "REPLAYS-1";
const AGAIN: usize = 3;
const PASSWORDS: [&str; 2] = ["correct horse battery", "staple correct horse"];

/// How often each kind of call was made.
pub type Kinds = BTreeMap<&'static str, usize>;

#[derive(Debug)]
pub struct Caretaker {
    pair: Pair,
    rng: Rng,
    kinds: Kinds,
}

impl Caretaker {
    /// Calls of a kind, in the order in which they are made.
    pub const KINDS: [&str; 26] = [
        "create cart",
        "add item",
        "set item",
        "batch",
        "remove item",
        "clear cart",
        "checkout",
        "transition order",
        "cancel order",
        "put product",
        "change product",
        "delete product",
        "set on hand",
        "adjust",
        "place hold",
        "extend hold",
        "commit hold",
        "release hold",
        "create user",
        "sign in",
        "refresh session",
        "update user",
        "change password",
        "create address",
        "put address",
        "delete address",
    ];

    pub fn new(session: &Arc<Session>, rng: Rng) -> Self {
        let pair = Pair { first: session.client(), rival: session.client() };
        Self { pair, rng, kinds: Kinds::new() }
    }

    /// Makes every call, over and over, until it is time to stop or something is wrong; each at least once.
    pub async fn run(mut self, until: Instant) -> Result<Kinds, Violation> {
        loop {
            self.carts().await?;
            self.products().await?;
            self.inventory().await?;
            self.users().await?;
            if Instant::now() >= until {
                return Ok(self.kinds);
            }
        }
    }

    async fn carts(&mut self) -> Result<(), Violation> {
        let created =
            self.make("create cart", Request::post("/v1/carts", json!({ "currency": "USD" }))).await?;
        let path = format!("/v1/carts/{}", id_of(&created)?);
        let read = Request::get(&path);
        let item = |sku: &str| json!({ "sku": sku, "quantity": 2 });
        let items = format!("{path}/items");
        self.change("add item", Request::post(&items, item("CHAOS-1")), &read).await?;
        let set = Request::put(format!("{items}/CHAOS-2"), json!({ "quantity": 3 }));
        self.change("set item", set, &read).await?;
        let operations = json!([{ "op": "add", "sku": "CHAOS-3", "quantity": 1 }]);
        let batch = json!({ "mode": "atomic", "operations": operations });
        self.change("batch", Request::post(format!("{path}/batch"), batch), &read).await?;
        self.change("remove item", Request::new("DELETE", format!("{items}/CHAOS-2")), &read).await?;
        self.change("clear cart", Request::new("DELETE", &path), &read).await?;
        for ends in ["transition order", "cancel order"] {
            self.change("add item", Request::post(&items, item("CHAOS-1")), &read).await?;
            let checkout =
                Request::post(format!("{path}/checkout"), json!({ "email": "replays@example.com" }));
            let order = format!("/v1/orders/{}", id_of(&self.make("checkout", checkout).await?)?);
            let read = Request::get(&order).by_service();
            let ending = if ends == "transition order" {
                Request::post(format!("{order}/transitions"), json!({ "to": "packed" })).by_service()
            } else {
                Request::new("POST", format!("{order}/cancel")).by_service()
            };
            self.change(ends, ending, &read).await?;
        }
        Ok(())
    }

    async fn products(&mut self) -> Result<(), Violation> {
        let name = format!("replays-{:08x}", self.rng.next_u32());
        let path = format!("/v1/products/{name}");
        let product = |description: &str| {
            let prices = json!([{ "amount": 100, "currency": "USD" }]);
            let variants = json!([{ "sku": name.to_uppercase(), "attributes": {}, "prices": prices }]);
            json!({
                "name": "Replayed", "description": description, "category": "test", "images": [],
                "variants": variants,
            })
        };
        let read = Request::get(&path);
        self.make("put product", Request::put(&path, product("")).by_service()).await?;
        let changed = Request::put(&path, product("another one")).by_service();
        self.change("change product", changed, &read).await?;
        self.make("delete product", Request::new("DELETE", &path).by_service()).await?;
        Ok(())
    }

    async fn inventory(&mut self) -> Result<(), Violation> {
        let path = format!("/v1/inventory/{SKU}");
        let read = Request::get(&path).by_service();
        let on_hand = self.rng.random_range(50..60);
        let set = Request::put(&path, json!({ "on_hand": on_hand })).by_service();
        self.change("set on hand", set, &read).await?;
        let adjust = json!({ "delta": 3, "reason": "replays" });
        self.change("adjust", Request::post(format!("{path}/adjustments"), adjust).by_service(), &read)
            .await?;
        for ends in ["commit hold", "release hold"] {
            let place = Request::post(format!("{path}/holds"), json!({ "quantity": 1, "ttl_seconds": 600 }));
            let hold = id_of(&self.change("place hold", place.by_service(), &read).await?)?;
            let hold = format!("{path}/holds/{hold}");
            let extend = Request::post(format!("{hold}/extend"), json!({ "ttl_seconds": 900 }));
            self.change("extend hold", extend.by_service(), &read).await?;
            let ending = if ends == "commit hold" {
                Request::new("POST", format!("{hold}/commit"))
            } else {
                Request::new("DELETE", hold)
            };
            self.change(ends, ending.by_service(), &read).await?;
        }
        Ok(())
    }

    async fn users(&mut self) -> Result<(), Violation> {
        let email = format!("replays-{:016x}@example.com", self.rng.next_u64());
        let [password, another] = PASSWORDS;
        let account = json!({ "email": email, "password": password, "name": "Replayed" });
        self.make("create user", Request::post("/v1/users", account)).await?;
        let session = Request::post("/v1/sessions", json!({ "email": email, "password": password }));
        let session = self.make("sign in", session).await?;
        let token = session.body["access_token"].as_str().unwrap_or_default();
        let user = Caller::User(token.to_owned());
        let refresh = json!({ "refresh_token": session.body["refresh_token"] });
        self.make("refresh session", Request::post("/v1/sessions/refresh", refresh)).await?;
        let me = "/v1/users/me";
        let read = Request::get(me).by(user.clone());
        let rename = Request::new("PATCH", me).body(json!({ "name": "Repeated" })).by(user.clone());
        self.change("update user", rename, &read).await?;
        let passwords = json!({ "current_password": password, "new_password": another });
        let passwords = Request::put(format!("{me}/password"), passwords).by(user.clone());
        self.change("change password", passwords, &read).await?;
        let address = |city: &str| json!({ "address": { "city": city } });
        let addresses = format!("{me}/addresses");
        let create = Request::post(&addresses, address("Delft")).by(user.clone());
        let created = self.make("create address", create).await?;
        let one = format!("{addresses}/{}", id_of(&created)?);
        self.make("put address", Request::put(&one, address("Leiden")).by(user.clone())).await?;
        self.make("delete address", Request::new("DELETE", &one).by(user.clone())).await?;
        let left = self.read(&Request::get(&addresses).by(user)).await?;
        if left["items"].as_array().is_none_or(|left| !left.is_empty()) {
            return Err(Violation::new(
                "second_effect",
                format!("an address was deleted, and is there: {left}"),
            ));
        }
        Ok(())
    }

    /// Repeats a call that makes something new, or ends it.
    async fn make(&mut self, kind: &'static str, request: Request) -> Result<Answer, Violation> {
        let request = request.key(self.key());
        // At once now, and in the next flush then.
        let pause = Duration::from_millis(self.rng.random_range(0..20));
        let repeated = self.pair.send(&request, AGAIN, pause).await?;
        *self.kinds.entry(kind).or_default() += 1;
        Ok(repeated.answer)
    }

    /// Repeats a change of what `read` shows: it makes one version.
    async fn change(
        &mut self,
        kind: &'static str,
        request: Request,
        read: &Request,
    ) -> Result<Answer, Violation> {
        let before = self.version(read).await?;
        let answer = self.make(kind, request).await?;
        let after = self.version(read).await?;
        if after != before + 1 {
            let what = format!("{kind}: {} went from version {before} to {after}", read.path);
            return Err(Violation::new("second_effect", what));
        }
        Ok(answer)
    }

    async fn version(&mut self, read: &Request) -> Result<u64, Violation> {
        let shown = self.read(read).await?;
        shown["version"].as_u64().ok_or_else(|| Violation::new("no_version", shown.to_string()))
    }

    async fn read(&mut self, read: &Request) -> Result<Value, Violation> {
        Ok(self.pair.once(read).await?.body)
    }

    fn key(&mut self) -> String {
        format!("replays-{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }
}
