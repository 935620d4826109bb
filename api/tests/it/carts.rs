use serde_json::json;
use smartcart_api::etag::version_named;

use crate::support::{Answer, Request, TestShop};

#[tokio::test]
async fn a_cart_is_filled_changed_and_emptied() {
    let shop = TestShop::open().await;
    let created =
        shop.post("/v1/carts", json!({"currency": "EUR", "metadata": {"note": "gift"}})).await.is(201);
    assert_eq!(version_of(&created), Some(1));
    assert_eq!(created.header("smartcart-durability"), Some("journaled"));
    let cart = created.header("location").unwrap().to_owned();
    let created = created.json();
    assert_eq!(cart, format!("/v1/carts/{}", created["id"].as_str().unwrap()));
    assert_eq!((&created["status"], &created["owner"]), (&json!("open"), &json!(null)));
    assert_eq!(created["metadata"], json!({"note": "gift"}));

    shop.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 2})).await.is(200);
    let added = shop.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 3})).await.is(200);
    assert_eq!(version_of(&added), Some(3));
    let line = &added.json()["items"][0];
    assert_eq!((&line["name"], &line["quantity"]), (&json!("Mug"), &json!(5)));
    assert_eq!(line["line_total"], json!({"amount": 4000, "currency": "EUR"}));

    let set = Request::new("PUT", format!("{cart}/items/MUG")).json(&json!({"quantity": 1}));
    let set = shop.send(set).await.is(200).json();
    assert_eq!(set["totals"]["total"], json!({"amount": 800, "currency": "EUR"}));
    assert_eq!(set["totals"]["quantity"], 1);

    let removed = shop.send(Request::new("DELETE", format!("{cart}/items/MUG"))).await.is(200).json();
    assert_eq!(removed["items"], json!([]));
    shop.send(Request::new("DELETE", format!("{cart}/items/MUG"))).await.problem(404, "item_not_found");

    shop.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 2})).await.is(200);
    shop.send(Request::new("DELETE", &cart)).await.is(204);
    assert_eq!(shop.get(&cart).await.is(200).json()["items"], json!([]));
}

#[tokio::test]
async fn setting_zero_removes() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let set = Request::new("PUT", format!("{cart}/items/MUG")).json(&json!({"quantity": 0}));
    assert_eq!(shop.send(set).await.is(200).json()["items"], json!([]));
}

#[tokio::test]
async fn a_sku_without_a_price_in_the_carts_currency_is_refused() {
    let shop = TestShop::open().await;
    let created = shop.post("/v1/carts", json!({"currency": "EUR"})).await.is(201);
    let items = format!("{}/items", created.header("location").unwrap());
    shop.post(items, json!({"sku": "TEE-S", "quantity": 1})).await.problem(422, "no_price");
}

#[tokio::test]
async fn a_cart_that_was_read_is_not_sent_again() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let read = shop.get(&cart).await.is(200);
    let tag = read.header("etag").unwrap();
    let again = shop.send(Request::new("GET", &cart).header("If-None-Match", tag)).await.is(304);
    assert!(again.body.is_empty());
    shop.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 1})).await.is(200);
    shop.send(Request::new("GET", &cart).header("If-None-Match", tag)).await.is(200);
    let head = shop.send(Request::new("HEAD", &cart)).await.is(200);
    assert_eq!(version_of(&head), Some(3));
}

#[tokio::test]
async fn a_new_price_shows_at_once() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    shop.get(&cart).await.is(200);
    let dearer = json!({"name": "Big mug", "variants": [
        {"sku": "MUG", "prices": [{"amount": 900, "currency": "GBP"}]}]});
    shop.send(shop.put("/v1/products/MUG").json(&dearer)).await.is(200);
    let line = &shop.get(&cart).await.is(200).json()["items"][0];
    assert_eq!((&line["unit_price"]["amount"], &line["current_price"]["amount"]), (&json!(750), &json!(900)));
    assert_eq!(line["name"], "Big mug");
    shop.send(Request::new("DELETE", "/v1/products/MUG").bearer(&shop.token)).await.is(204);
    let line = &shop.get(&cart).await.is(200).json()["items"][0];
    assert_eq!((&line["name"], &line["current_price"]), (&json!("MUG"), &json!(null)));
}

#[tokio::test]
async fn an_atomic_batch_is_done_whole_or_not_at_all() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let batch = |last: &str| {
        json!({"mode": "atomic", "operations": [
            {"op": "set", "sku": "MUG", "quantity": 5},
            {"op": "add", "sku": "TEE-S", "quantity": 1},
            {"op": "add", "sku": last, "quantity": 1}]})
    };
    let problem = shop.post(format!("{cart}/batch"), batch("NOPE")).await.problem(422, "unknown_sku");
    assert_eq!(problem["operation"], 2);
    assert_eq!(version_of(&shop.get(&cart).await), Some(2));
    let done = shop.post(format!("{cart}/batch"), batch("TEE-M")).await.is(200);
    assert_eq!(version_of(&done), Some(3));
    let done = done.json();
    assert_eq!(done["cart"]["totals"]["quantity"], 7);
    assert_eq!(
        done["results"],
        json!([{"applied": true, "code": null}, {"applied": true, "code": null}, {"applied": true, "code": null}])
    );
}

#[tokio::test]
async fn a_best_effort_batch_says_what_was_not_done() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let batch = json!({"mode": "best_effort", "operations": [
        {"op": "add", "sku": "NOPE", "quantity": 1},
        {"op": "remove", "sku": "TEE-S"},
        {"op": "add", "sku": "MUG", "quantity": 1000},
        {"op": "remove", "sku": "MUG"}]});
    let done = shop.post(format!("{cart}/batch"), batch).await.is(200).json();
    let codes: Vec<_> = done["results"].as_array().unwrap().iter().map(|result| &result["code"]).collect();
    assert_eq!(
        codes,
        ["unknown_sku", "item_not_found", "quantity_out_of_range", ""]
            .map(|code| { if code.is_empty() { json!(null) } else { json!(code) } })
            .iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(done["cart"]["items"], json!([]));
}

#[tokio::test]
async fn a_batch_of_nothing_or_of_too_much_is_refused() {
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    let batch = |operations: Vec<serde_json::Value>| json!({"mode": "atomic", "operations": operations});
    let remove = json!({"op": "remove", "sku": "MUG"});
    for operations in [vec![], vec![remove; 201]] {
        shop.post(format!("{cart}/batch"), batch(operations)).await.problem(422, "too_many_operations");
    }
    for operation in
        [json!({"op": "add", "sku": "MUG"}), json!({"op": "remove", "sku": "MUG", "quantity": 1})]
    {
        shop.post(format!("{cart}/batch"), batch(vec![operation])).await.problem(400, "invalid_body");
    }
}

#[tokio::test]
async fn a_shopper_has_one_cart_of_their_own_on_every_device() {
    let shop = TestShop::open().await;
    let (phone, _) = shop.shopper("ada@example.com").await;
    let laptop = shop.sign_in("ada@example.com").await.is(201).json();
    let laptop = laptop["access_token"].as_str().unwrap();
    let mine = |token: &str| Request::new("GET", "/v1/carts/mine").bearer(token);
    let first = shop.send(mine(&phone)).await.is(200).json();
    assert!(first["owner"].is_string());
    assert_eq!(shop.send(mine(laptop)).await.is(200).json(), first);
    shop.get("/v1/carts/mine").await.problem(401, "authentication_required");
}

/// The version that a cart's tag names.
fn version_of(answer: &Answer) -> Option<u64> {
    let tag = answer.header("etag")?;
    assert!(tag.contains('-'), "a cart shows prices, which its version does not cover: {tag}");
    version_named(tag)
}

#[tokio::test]
async fn a_conditional_read_sees_a_new_price_and_a_new_name() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let mug = |name: &str, amount: u32| {
        let price = json!({"amount": amount, "currency": "GBP"});
        let mug = json!({"name": name, "variants": [{"sku": "MUG", "prices": [price]}]});
        shop.put("/v1/products/MUG").json(&mug)
    };
    let before = shop.get(&cart).await.is(200).header("etag").unwrap().to_owned();
    let read = |tag: &str| shop.send(Request::new("GET", &cart).header("If-None-Match", tag));
    read(&before).await.is(304);
    // Somebody else's product: nothing that this cart shows.
    let tee = json!({"name": "Tee 2", "variants": [{"sku": "TEE-S", "prices": [{"amount": 1, "currency": "GBP"}]}]});
    shop.send(shop.put("/v1/products/TEE").json(&tee)).await.is(200);
    read(&before).await.is(304);
    let mut seen = vec![before.clone()];
    for (name, amount) in [("Mug", 900), ("Cup", 900), ("Cup", 750)] {
        shop.send(mug(name, amount)).await.is(200);
        let now = read(seen.last().unwrap()).await.is(200);
        assert_eq!(now.json()["items"][0]["current_price"]["amount"], amount);
        assert_eq!(version_of(&now), version_named(&before), "the cart has not changed");
        seen.push(now.header("etag").unwrap().to_owned());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "four contents have four tags");
    // What was read at an old price can still be changed: the version is what counts.
    let change = Request::new("PUT", format!("{cart}/items/MUG")).header("If-Match", &before);
    let changed = shop.send(change.json(&json!({"quantity": 3}))).await.is(200);
    let change = Request::new("PUT", format!("{cart}/items/MUG")).header("If-Match", &before);
    shop.send(change.json(&json!({"quantity": 4}))).await.problem(412, "version_mismatch");
    // A change and a read of the same state have the same tag.
    assert_eq!(changed.header("etag"), shop.get(&cart).await.header("etag"));
    let batch = json!({"mode": "atomic", "operations": [{"op": "set", "sku": "MUG", "quantity": 5}]});
    let batch = shop.post(format!("{cart}/batch"), batch).await.is(200);
    assert_eq!(batch.header("etag"), shop.get(&cart).await.header("etag"));
}
