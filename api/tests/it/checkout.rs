use serde_json::{Value, json};
use smartcart_api::reply::REPLAYED;

use crate::support::{Answer, Request, TestShop};

/// As a guest, whose address is Ada's unless the body says another.
async fn check_out(shop: &TestShop, cart: &str, key: &str, mut body: Value) -> Answer {
    body.as_object_mut().unwrap().entry("email").or_insert_with(|| "ada@example.com".into());
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
    let read = shop.get(&cart).await.is(200).json();
    assert_eq!((&read["status"], &read["items"]), (&json!("ordered"), &json!([])));
    assert_eq!(read["order_id"], order["id"]);
    let last = json!({"id": order["id"], "number": order["number"], "placed_at": order["placed_at"]});
    assert_eq!(read["last_order"], last);

    // The next add makes it open for good; what was ordered is kept apart.
    shop.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 1})).await.is(200);
    let emptied = shop.send(Request::new("DELETE", format!("{cart}/items/MUG"))).await.is(200).json();
    assert_eq!((&emptied["status"], &emptied["order_id"]), (&json!("open"), &Value::Null));
    assert_eq!(emptied["last_order"], last);
    check_out(&shop, &cart, "k2", json!({})).await.problem(422, "cart_empty");
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
    check_out(&shop, &cart, "k", json!({"payment": {"method": "barter"}}))
        .await
        .problem(422, "idempotency_key_reused");
    let second = check_out(&shop, &cart, "other", json!({})).await.problem(409, "cart_ordered");
    assert_eq!(second["order_id"], first.json()["id"], "a second click is led to the order");
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

async fn mugs_cost(shop: &TestShop, amount: u32) {
    let mug = json!({"name": "Mug", "variants": [
        {"sku": "MUG", "prices": [{"amount": amount, "currency": "GBP"}]}]});
    shop.send(shop.put("/v1/products/MUG").json(&mug)).await.is(200);
}

#[tokio::test]
async fn a_shopper_agrees_to_an_amount_and_not_to_any_change() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let money = |amount: u32| json!({"amount": amount, "currency": "GBP"});
    mugs_cost(&shop, 900).await;
    let problem = check_out(&shop, &cart, "k", json!({})).await.problem(409, "price_changed");
    assert_eq!(problem["changes"], json!([{"sku": "MUG", "was": money(750), "now": money(900)}]));
    assert_eq!(problem["total"], json!({"was": money(1500), "now": money(1800)}));
    // It rises once more before the shopper has agreed.
    mugs_cost(&shop, 1000).await;
    let agreed = json!({"expected_total": problem["total"]["now"]});
    let problem = check_out(&shop, &cart, "k2", agreed).await.problem(409, "price_changed");
    assert_eq!(problem["total"], json!({"was": money(1500), "now": money(2000)}));
    let agreed = json!({"expected_total": problem["total"]["now"]});
    let order = check_out(&shop, &cart, "k3", agreed).await.is(201).json();
    assert_eq!(order["totals"]["total"], money(2000));
}

#[tokio::test]
async fn the_old_name_of_the_agreement_is_refused_with_the_new_one() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    for value in [json!(true), json!(false), Value::Null] {
        let body = json!({"accept_changes": value});
        let problem = check_out(&shop, &cart, "k", body).await.problem(400, "invalid_body");
        assert!(problem["detail"].as_str().unwrap().contains("expected_total"), "{problem}");
    }
}

#[tokio::test]
async fn what_is_no_longer_sold_is_said_to_be() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    shop.post(format!("{cart}/items"), json!({"sku": "TEE-S", "quantity": 1})).await.is(200);
    shop.send(Request::new("DELETE", "/v1/products/TEE").bearer(&shop.token)).await.is(204);
    for expected in [json!({}), json!({"expected_total": {"amount": 1500, "currency": "GBP"}})] {
        let problem = check_out(&shop, &cart, "k", expected).await.problem(409, "product_unavailable");
        assert_eq!(problem["skus"], json!(["TEE-S"]));
    }
    shop.send(Request::new("DELETE", format!("{cart}/items/TEE-S"))).await.is(200);
    check_out(&shop, &cart, "k", json!({})).await.is(201);
}

#[tokio::test]
async fn a_refusal_that_is_given_again_says_so() {
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    shop.post(format!("{cart}/items"), json!({"sku": "TEE-S", "quantity": 1})).await.is(200);
    let barter = || json!({"payment": {"method": "barter"}});
    for (body, key, code) in
        [(json!({}), "short", "insufficient_stock"), (barter(), "barter", "payment_declined")]
    {
        for replayed in [None, Some("true")] {
            let refused = check_out(&shop, &cart, key, body.clone()).await;
            assert_eq!(refused.header(REPLAYED.as_str()), replayed, "{key}");
            assert_eq!(refused.json()["code"], code);
        }
        // There is enough for the second one.
        shop.send(shop.put("/v1/inventory/TEE-S").json(&json!({"on_hand": 1}))).await.is(200);
    }
    // What never began is decided again.
    let cart = shop.cart().await;
    for _ in 0..2 {
        let refused = check_out(&shop, &cart, "empty", json!({})).await;
        assert_eq!(refused.header(REPLAYED.as_str()), None);
        refused.problem(422, "cart_empty");
    }
    check_out(&shop, &cart, "empty", json!({})).await.problem(422, "cart_empty");
    shop.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 1})).await.is(200);
    check_out(&shop, &cart, "empty", json!({})).await.is(201);
}

#[tokio::test]
async fn who_is_signed_in_owns_the_order_of_a_guests_cart() {
    let shop = TestShop::open().await;
    let (token, tokens) = shop.shopper("ada@example.com").await;
    let cart = shop.cart_with_mugs().await;
    let checkout = Request::new("POST", format!("{cart}/checkout")).bearer(&token).key("k").json(&json!({}));
    let order = shop.send(checkout).await.is(201).json();
    assert_eq!(order["user"], tokens["user"]["id"]);
    assert_eq!(order["email"], "ada@example.com", "the account's, when no other is given");
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    shop.get(&path).await.problem(404, "order_not_found");
    let mine = shop.send(Request::new("GET", "/v1/orders").bearer(&token)).await.is(200).json();
    assert_eq!(mine["items"][0]["id"], order["id"]);
}

#[tokio::test]
async fn a_guests_order_can_be_answered() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let checkout = |body: Value| Request::new("POST", format!("{cart}/checkout")).key("k").json(&body);
    let problem = shop.send(checkout(json!({}))).await.problem(422, "invalid_field");
    assert_eq!(problem["field"], "email");
    shop.send(checkout(json!({"email": "ada@example.com"}))).await.is(201);
}

#[tokio::test]
async fn no_cart_comes_to_more_than_every_json_reader_keeps() {
    let shop = TestShop::open_with(|settings| settings.shop.max_line_quantity = Some(20_000)).await;
    let dear = json!({"name": "Dear", "variants": [
        {"sku": "DEAR", "prices": [{"amount": 1_000_000_000_000_u64, "currency": "GBP"}]}]});
    shop.send(shop.put("/v1/products/DEAR").json(&dear)).await.is(201);
    let cart = shop.cart().await;
    let set = |quantity: u32| {
        shop.send(Request::new("PUT", format!("{cart}/items/DEAR")).json(&json!({"quantity": quantity})))
    };
    let read = set(9007).await.is(200).json();
    assert_eq!(read["totals"]["total"]["amount"], 9_007_000_000_000_000_u64);
    set(9008).await.problem(422, "total_too_large");
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
