use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use smartcart_api::{
    app::App,
    config::{Seed, Settings},
    target::Target,
};
use smartcart_engine::clock::SystemClock;
use tempfile::TempDir;

use super::{Answer, Client, Request};

/// A shop of its own for one test: two products, `MUG` (SKU `MUG`, 7.50 GBP, 8.00 EUR, 100 on hand) and `TEE` (SKUs
/// `TEE-S`, `TEE-M`, 20.00 GBP, none on hand).
pub(crate) struct TestShop {
    pub(crate) app: App,
    pub(crate) token: String,
    folder: TempDir,
}

impl TestShop {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = App::start(settings(&folder, change), Target::All, Arc::new(SystemClock::default()))
            .await
            .unwrap();
        let token = std::fs::read_to_string(folder.path().join("admin-token")).unwrap().trim().to_owned();
        let shop = Self { app, token, folder };
        shop.stock().await;
        shop
    }

    /// Stops in good order, and opens again on the same files.
    pub(crate) async fn reopen(self) -> Self {
        let Self { app, token, folder } = self;
        app.stop().await.unwrap();
        let app = App::start(settings(&folder, |_| {}), Target::All, Arc::new(SystemClock::default()))
            .await
            .unwrap();
        Self { app, token, folder }
    }

    async fn stock(&self) {
        let price = |amount, currency| json!({"amount": amount, "currency": currency});
        let products = [
            (
                "MUG",
                json!({"name": "Mug", "category": "Kitchen", "variants": [
                {"sku": "MUG", "prices": [price(750, "GBP"), price(800, "EUR")]}]}),
            ),
            (
                "TEE",
                json!({"name": "Tee", "category": "Clothes", "variants": [
                {"sku": "TEE-S", "attributes": {"size": "S"}, "prices": [price(2000, "GBP")]},
                {"sku": "TEE-M", "attributes": {"size": "M"}, "prices": [price(2000, "GBP")]}]}),
            ),
        ];
        let mut client = self.client().await;
        for (id, product) in products {
            client.send(self.put(format!("/v1/products/{id}")).json(&product)).await.is(201);
        }
        client.send(self.put("/v1/inventory/MUG").json(&json!({"on_hand": 100}))).await.is(200);
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.app.api).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(&self, request: Request) -> Answer {
        self.client().await.send(request).await
    }

    pub(crate) async fn get(&self, path: impl Into<String>) -> Answer {
        self.send(Request::new("GET", path)).await
    }

    pub(crate) async fn post(&self, path: impl Into<String>, body: Value) -> Answer {
        self.send(Request::new("POST", path).json(&body)).await
    }

    /// A `PUT` of the shop itself.
    pub(crate) fn put(&self, path: impl Into<String>) -> Request {
        Request::new("PUT", path).bearer(&self.token)
    }

    /// A SKU's stock, as the shop itself sees it.
    pub(crate) async fn level(&self, sku: &str) -> Value {
        self.send(Request::new("GET", format!("/v1/inventory/{sku}")).bearer(&self.token))
            .await
            .is(200)
            .json()
    }

    /// A guest's new cart: its path.
    pub(crate) async fn cart(&self) -> String {
        let answer = self.send(Request::new("POST", "/v1/carts")).await.is(201);
        answer.header("location").unwrap().to_owned()
    }

    /// A cart with two mugs.
    pub(crate) async fn cart_with_mugs(&self) -> String {
        let cart = self.cart().await;
        self.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 2})).await.is(200);
        cart
    }

    /// Waits until the stock of mugs is this. A checkout answers when the order is safe; its SKUs follow.
    pub(crate) async fn mugs_become(&self, on_hand: i64, sold: i64) {
        let until = Instant::now() + super::PATIENCE;
        loop {
            let level = self.level("MUG").await;
            if (&level["on_hand"], &level["held"], &level["sold"])
                == (&json!(on_hand), &json!(0), &json!(sold))
            {
                return;
            }
            assert!(Instant::now() < until, "not {on_hand} on hand and {sold} sold: {level}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// An account, signed in: its access token and what signing in answered.
    pub(crate) async fn shopper(&self, email: &str) -> (String, Value) {
        let account = json!({"email": email, "password": "correct horse", "name": "Ada"});
        self.post("/v1/users", account).await.is(201);
        let tokens = self.sign_in(email).await.is(201).json();
        (tokens["access_token"].as_str().unwrap().to_owned(), tokens)
    }

    pub(crate) async fn sign_in(&self, email: &str) -> Answer {
        self.post("/v1/sessions", json!({"email": email, "password": "correct horse"})).await
    }
}

fn settings(folder: &TempDir, change: impl FnOnce(&mut Settings)) -> smartcart_api::config::Config {
    let mut settings = Settings::default();
    let any_port: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    settings.http.listen = Some(any_port);
    settings.ops.ops_listen = Some(any_port);
    settings.storage.database_url = Some(format!("sqlite:{}/shop.db", folder.path().display()));
    settings.shop.seed = Some(Seed::None);
    change(&mut settings);
    settings.build().unwrap()
}
