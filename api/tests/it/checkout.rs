use serde_json::json;

use crate::support::{Answer, Request, TestShop};

async fn check_out(shop: &TestShop, cart: &str, key: &str, body: serde_json::Value) -> Answer {
    shop.send(Request::new("POST", format!("{cart}/checkout")).key(key).json(&body)).await
}

#[tokio::test]
async fn a_checkout_becomes_an_order() {
    let shop = TestShop::open().await;
    let created = shop.post("/v1/carts", json!({"metadata": {"invoice": 7}})).await.is(201);
    let cart = created.header("location").unwrap().to_owned();
    shop.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 2})).await.is(200);
    let body = json!({"email": "ada@example.com", "shipping_address": {"city": "London"}});
    let placed = check_out(&shop, &cart, "k", body).await.is(201);
    assert_eq!(placed.header("smartcart-durability"), Some("committed"));
    let location = placed.header("location").unwrap().to_owned();
    let order = placed.json();
    assert_eq!((&order["status"], &order["version"]), (&json!("placed"), &json!(1)));
    assert_eq!(order["items"][0]["line_total"], json!({"amount": 1500, "currency": "GBP"}));
    assert_eq!(order["totals"]["total"]["amount"], 1500);
    assert_eq!(order["metadata"], json!({"invoice": 7}));
    assert_eq!(order["shipping_address"], json!({"city": "London"}));
    assert_eq!(order["payment"]["method"], "invoice");
    assert_eq!(shop.get(location).await.is(200).json(), order);

    shop.mugs_become(98, 2).await;
    let cart = shop.get(&cart).await.is(200).json();
    assert_eq!((&cart["status"], &cart["items"]), (&json!("ordered"), &json!([])));
}

#[tokio::test]
async fn a_checkout_needs_a_key() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    shop.post(format!("{cart}/checkout"), json!({})).await.problem(400, "idempotency_key_required");
}

#[tokio::test]
async fn the_same_key_gives_the_same_order() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let first = check_out(&shop, &cart, "k", json!({})).await.is(201);
    let again = check_out(&shop, &cart, "k", json!({})).await.is(201);
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
    shop.mugs_become(98, 2).await;
    check_out(&shop, &cart, "k", json!({"accept_changes": true}))
        .await
        .problem(422, "idempotency_key_reused");
    check_out(&shop, &cart, "other", json!({})).await.problem(422, "cart_empty");
}

#[tokio::test]
async fn too_little_stock_says_of_what_and_sells_nothing() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    shop.post(format!("{cart}/items"), json!({"sku": "TEE-S", "quantity": 3})).await.is(200);
    let problem = check_out(&shop, &cart, "k", json!({})).await.problem(409, "insufficient_stock");
    assert_eq!(problem["items"], json!([{"sku": "TEE-S", "requested": 3, "available": 0}]));
    shop.mugs_become(100, 0).await;
    // The cart is as it was, and can be put right.
    shop.send(Request::new("DELETE", format!("{cart}/items/TEE-S"))).await.is(200);
    check_out(&shop, &cart, "k2", json!({})).await.is(201);
}

#[tokio::test]
async fn a_changed_price_must_be_accepted() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let dearer = json!({"name": "Mug", "variants": [
        {"sku": "MUG", "prices": [{"amount": 900, "currency": "GBP"}]}]});
    shop.send(shop.put("/v1/products/MUG").json(&dearer)).await.is(200);
    let problem = check_out(&shop, &cart, "k", json!({})).await.problem(409, "price_changed");
    assert_eq!(problem["changes"], json!([{"sku": "MUG", "was": 750, "now": 900}]));
    let order = check_out(&shop, &cart, "k2", json!({"accept_changes": true})).await.is(201).json();
    assert_eq!(order["totals"]["total"]["amount"], 1800);
}

#[tokio::test]
async fn a_payment_that_is_not_taken_is_declined() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let body = json!({"payment": {"method": "barter"}});
    check_out(&shop, &cart, "k", body).await.problem(402, "payment_declined");
    shop.mugs_become(100, 0).await;
}

#[tokio::test]
async fn what_the_shopper_says_at_checkout_is_checked() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    for (body, status, code) in [
        (json!({"email": "nobody"}), 422, "invalid_field"),
        (json!({"shipping_address": "London"}), 400, "invalid_body"),
        (json!({"shipping_address": {"street": "x".repeat(5000)}}), 422, "invalid_field"),
        (json!({"coupon": "HALF"}), 400, "invalid_body"),
    ] {
        check_out(&shop, &cart, "k", body).await.problem(status, code);
    }
    check_out(&shop, &cart, "k", json!({})).await.is(201);
}
