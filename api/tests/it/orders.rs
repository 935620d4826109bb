use serde_json::{Value, json};

use crate::support::{Answer, Request, TestShop};

/// A guest's order of two mugs: its path.
async fn order(shop: &TestShop) -> String {
    let cart = shop.cart_with_mugs().await;
    let checkout = Request::new("POST", format!("{cart}/checkout")).key("k");
    let placed = shop.send(checkout.json(&json!({"email": "ada@example.com"}))).await.is(201);
    placed.header("location").unwrap().to_owned()
}

async fn transition(shop: &TestShop, order: &str, to: &str) -> Answer {
    let request = Request::new("POST", format!("{order}/transitions")).bearer(&shop.token);
    shop.send(request.json(&json!({"to": to}))).await
}

#[tokio::test]
async fn an_order_goes_its_way() {
    let shop = TestShop::open().await;
    let order = order(&shop).await;
    for (to, version) in [("paid", 2), ("packed", 3), ("shipped", 4), ("delivered", 5)] {
        let moved = transition(&shop, &order, to).await.is(200);
        assert_eq!(moved.header("smartcart-durability"), Some("committed"));
        assert_eq!((&moved.json()["status"], &moved.json()["version"]), (&json!(to), &json!(version)));
    }
    let history = shop.get(&order).await.is(200).json()["history"].clone();
    let steps: Vec<&Value> = history.as_array().unwrap().iter().map(|step| &step["status"]).collect();
    assert_eq!(steps, ["placed", "paid", "packed", "shipped", "delivered"]);
    let problem = transition(&shop, &order, "packed").await.problem(409, "forbidden_transition");
    assert_eq!((&problem["from"], &problem["to"]), (&json!("delivered"), &json!("packed")));
    transition(&shop, &order, "lost").await.problem(400, "invalid_body");
}

#[tokio::test]
async fn a_cancelled_order_restocks_once() {
    let shop = TestShop::open().await;
    let order = order(&shop).await;
    let cancel = || Request::new("POST", format!("{order}/cancel")).key("k");
    assert_eq!(shop.send(cancel()).await.is(200).json()["status"], "cancelled");
    let again = shop.send(cancel()).await.is(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    shop.send(Request::new("POST", format!("{order}/cancel"))).await.problem(409, "forbidden_transition");
    shop.mugs_become(100, 0).await;
}

#[tokio::test]
async fn a_stale_transition_is_refused() {
    let shop = TestShop::open().await;
    let order = order(&shop).await;
    let pack = |tag: &str| {
        let request = Request::new("POST", format!("{order}/transitions")).bearer(&shop.token);
        request.header("If-Match", tag).json(&json!({"to": "packed"}))
    };
    shop.send(pack("\"2\"")).await.problem(412, "version_mismatch");
    shop.send(pack("\"1\"")).await.is(200);
}

#[tokio::test]
async fn the_shop_sees_all_orders_page_by_page() {
    let shop = TestShop::open().await;
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.push(order(&shop).await);
    }
    shop.get("/v1/orders").await.problem(401, "authentication_required");
    let mut seen = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let after = cursor.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let request = Request::new("GET", format!("/v1/orders?limit=2{after}")).bearer(&shop.token);
        let page = shop.send(request).await.is(200).json();
        let ids =
            page["items"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned());
        seen.extend(ids.map(|id| format!("/v1/orders/{id}")));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    placed.sort();
    let mut found = seen.clone();
    found.sort();
    assert_eq!(found, placed);
}

#[tokio::test]
async fn money_that_comes_after_the_goods_have_gone_enters_the_history() {
    let shop = TestShop::open().await;
    let order = order(&shop).await;
    for to in ["packed", "shipped"] {
        transition(&shop, &order, to).await.is(200);
    }
    let paid = transition(&shop, &order, "paid").await.is(200).json();
    assert_eq!((&paid["status"], &paid["version"]), (&json!("shipped"), &json!(4)));
    let read = shop.get(&order).await.is(200).json();
    let steps: Vec<&Value> = read["history"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
    assert_eq!(steps, ["placed", "packed", "shipped", "paid"]);
    transition(&shop, &order, "paid").await.problem(409, "forbidden_transition");
    transition(&shop, &order, "delivered").await.is(200);
}
