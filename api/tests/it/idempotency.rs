use serde_json::json;

use crate::support::{Request, TestShop};

const GUEST_KEY: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

#[tokio::test]
async fn a_cart_created_twice_with_one_key_is_one_cart() {
    let shop = TestShop::open().await;
    let create = || Request::new("POST", "/v1/carts").key(GUEST_KEY).json(&json!({}));
    let first = shop.send(create()).await.is(201);
    let again = shop.send(create()).await.is(201);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.header("location"), again.header("location"));
    let other = Request::new("POST", "/v1/carts").key(GUEST_KEY).json(&json!({"currency": "EUR"}));
    shop.send(other).await.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_hold_placed_twice_with_one_key_is_one_hold() {
    let shop = TestShop::open().await;
    let place =
        || Request::new("POST", "/v1/inventory/MUG/holds").key(GUEST_KEY).json(&json!({"quantity": 3}));
    let first = shop.send(place()).await.is(201);
    let again = shop.send(place()).await.is(201);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(shop.level("MUG").await["held"], 3);
}

#[tokio::test]
async fn a_change_made_twice_with_one_key_is_made_once() {
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    let add =
        || Request::new("POST", format!("{cart}/items")).key("k").json(&json!({"sku": "MUG", "quantity": 2}));
    shop.send(add()).await.is(200);
    assert_eq!(shop.send(add()).await.is(200).json()["totals"]["quantity"], 2);
    let deliver = || {
        let body = json!({"delta": 5, "reason": "delivery"});
        Request::new("POST", "/v1/inventory/MUG/adjustments").bearer(&shop.token).key("k").json(&body)
    };
    shop.send(deliver()).await.is(200);
    let again = shop.send(deliver()).await.is(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json()["on_hand"], 105);
}

#[tokio::test]
async fn one_key_for_two_holds_is_two_keys() {
    let shop = TestShop::open().await;
    for _ in 0..2 {
        let hold = shop.post("/v1/inventory/MUG/holds", json!({"quantity": 1})).await.is(201);
        let hold = hold.header("location").unwrap().to_owned();
        shop.send(Request::new("DELETE", &hold).key("k")).await.is(204);
        let again = shop.send(Request::new("DELETE", &hold).key("k")).await.is(204);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        shop.send(Request::new("DELETE", &hold)).await.problem(404, "hold_not_found");
    }
}

#[tokio::test]
async fn keys_survive_a_restart() {
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    let add =
        || Request::new("POST", format!("{cart}/items")).key("k").json(&json!({"sku": "MUG", "quantity": 2}));
    shop.send(add()).await.is(200);
    let shop = shop.reopen().await;
    let again = shop.send(add()).await.is(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json()["totals"]["quantity"], 2);
}

#[tokio::test]
async fn a_product_written_twice_with_one_key_is_written_once() {
    let shop = TestShop::open().await;
    let write = || {
        let body = json!({"name": "Mug", "variants": [{"sku": "MUG", "prices": []}]});
        shop.put("/v1/products/MUG").key("k").json(&body)
    };
    assert_eq!(shop.send(write()).await.is(200).json()["version"], 2);
    let again = shop.send(write()).await.is(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json()["version"], 2);
    let remove = || Request::new("DELETE", "/v1/products/MUG").bearer(&shop.token).key("gone");
    shop.send(remove()).await.is(204);
    shop.send(remove()).await.is(204);
    shop.send(Request::new("DELETE", "/v1/products/MUG").bearer(&shop.token))
        .await
        .problem(404, "product_not_found");
}
