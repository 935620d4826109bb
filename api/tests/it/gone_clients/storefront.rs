use std::time::{Duration, Instant};

use axum::http;
use serde_json::{Value, json};
use smartcart_api::app::App;

use crate::support::{Answer, Client, Request};

/// Where a case is prepared and looked at: a shop, or a pod of one.
#[derive(Clone, Copy)]
pub(super) struct Storefront<'a> {
    pub(super) app: &'a App,
    /// The service token.
    pub(super) token: &'a str,
}

impl Storefront<'_> {
    pub(super) async fn send(self, request: Request) -> Answer {
        Client::connect(self.app.api).await.send(request).await
    }

    pub(super) async fn post(self, path: impl Into<String>, body: Value) -> Answer {
        self.send(Request::new("POST", path).json(&body)).await
    }

    pub(super) fn service(self, method: &'static str, path: impl Into<String>) -> Request {
        Request::new(method, path).bearer(self.token)
    }

    /// A product with one SKU of the same name, which costs 7.50 GBP, and ten of it on hand.
    pub(super) async fn product(self, name: &str) {
        let body = product(name, &[name], 750);
        self.send(self.service("PUT", format!("/v1/products/{name}")).json(&body)).await.is(201);
        let shelf = self.service("PUT", format!("/v1/inventory/{name}")).json(&json!({"on_hand": 10}));
        self.send(shelf).await.is(200);
    }

    /// A guest's cart with two of a product that is sold nowhere else: its path.
    pub(super) async fn cart(self, name: &str) -> String {
        self.product(name).await;
        self.cart_of_known(name).await
    }

    /// The same of a product that is there.
    pub(super) async fn cart_of_known(self, name: &str) -> String {
        let cart = place(&self.send(Request::new("POST", "/v1/carts")).await.is(201));
        let add = async || self.post(format!("{cart}/items"), json!({"sku": name, "quantity": 2})).await;
        let end = Instant::now() + Duration::from_secs(60);
        // The pod that has the cart may not know the product yet.
        while add().await.status != 200 {
            assert!(Instant::now() < end, "{name} cannot be put into a cart");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cart
    }

    /// The order of such a cart.
    pub(super) async fn order(self, name: &str) -> String {
        let checkout = format!("{}/checkout", self.cart(name).await);
        let body = json!({"email": "ada@example.com"});
        place(&self.send(Request::new("POST", checkout).key(name).json(&body)).await.is(201))
    }

    /// What signing in answers.
    pub(super) async fn session(self, name: &str) -> Value {
        let credentials = json!({"email": email(name), "password": "correct horse"});
        self.post("/v1/sessions", credentials).await.is(201).json()
    }

    /// An account with one session: what signing in answered.
    pub(super) async fn shopper(self, name: &str) -> Value {
        let account = json!({"email": email(name), "password": "correct horse", "name": "Ada"});
        self.post("/v1/users", account).await.is(201);
        self.session(name).await
    }
}

pub(super) fn email(name: &str) -> String {
    format!("{name}@example.com")
}

pub(super) fn product(id: &str, skus: &[&str], amount: i64) -> Value {
    let variant = |sku: &&str| json!({"sku": sku, "prices": [{"amount": amount, "currency": "GBP"}]});
    let variants: Vec<Value> = skus.iter().map(variant).collect();
    json!({"id": id, "name": id, "variants": variants})
}

/// Where what was created is.
pub(super) fn place(created: &Answer) -> String {
    created.header(http::header::LOCATION.as_str()).unwrap().to_owned()
}
