use serde_json::json;

use crate::support::{Request, TestShop};

#[tokio::test]
async fn stock_is_counted_and_adjusted() {
    let shop = TestShop::open().await;
    let stock = shop.send(Request::new("GET", "/v1/inventory/MUG").bearer(&shop.token)).await.is(200);
    assert_eq!(stock.header("etag"), Some("\"1\""));
    let level = json!({"sku": "MUG", "on_hand": 100, "held": 0, "available": 100, "sold": 0, "version": 1});
    assert_eq!(stock.json(), level);
    let adjust = |delta: i64| {
        let body = json!({"delta": delta, "reason": "delivery"});
        shop.send(Request::new("POST", "/v1/inventory/MUG/adjustments").bearer(&shop.token).json(&body))
    };
    let adjusted = adjust(20).await.is(200);
    assert_eq!(adjusted.header("smartcart-durability"), Some("journaled"));
    assert_eq!(adjusted.json()["on_hand"], 120);
    adjust(-121).await.problem(422, "on_hand_out_of_range");
    adjust(i64::MAX).await.problem(422, "on_hand_out_of_range");
    assert_eq!(shop.level("TEE-S").await["available"], 0);
}

#[tokio::test]
async fn what_the_shop_has_and_sold_is_its_own_affair() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let read = async |token: Option<&str>, known: &str| {
        let request = Request::new("GET", "/v1/inventory/MUG").header("If-None-Match", known);
        shop.send(token.map_or(request.clone(), |token| request.bearer(token))).await
    };
    let told = |availability: &str, available: i64| json!({"sku": "MUG", "availability": availability, "available": available});
    let guests = read(None, "").await.is(200);
    assert_eq!(guests.json(), told("in_stock", 10));
    assert_eq!(read(Some(&ada), "").await.is(200).json(), told("in_stock", 10));
    assert_eq!(shop.level("MUG").await["on_hand"], 100);
    // A hold of one of many is nothing that a guest could see.
    let tag = guests.header("etag").unwrap().to_owned();
    let hold = |quantity: u32| {
        let body = json!({"quantity": quantity});
        Request::new("POST", "/v1/inventory/MUG/holds").bearer(&shop.token).json(&body)
    };
    shop.send(hold(1)).await.is(201);
    read(None, &tag).await.is(304);
    shop.send(hold(94)).await.is(201);
    assert_eq!(read(None, &tag).await.is(200).json(), told("low", 5));
    shop.send(hold(5)).await.is(201);
    assert_eq!(read(None, &tag).await.is(200).json(), told("out_of_stock", 0));
    // The service's tag is the version.
    let level = shop.send(Request::new("GET", "/v1/inventory/MUG").bearer(&shop.token)).await.is(200);
    assert_eq!(level.header("etag").unwrap(), format!("\"{}\"", level.json()["version"]));
    // Of a SKU that was never stocked, too.
    assert_eq!(shop.get("/v1/inventory/TEE-S").await.is(200).json()["availability"], "out_of_stock");
}

#[tokio::test]
async fn a_refusal_names_no_more_than_everybody_is_told() {
    let shop = TestShop::open_with(|settings| settings.shop.show_available_up_to = Some(3)).await;
    let cart = shop.cart().await;
    shop.post(format!("{cart}/items"), json!({"sku": "MUG", "quantity": 101})).await.is(200);
    let order = |token: Option<&str>, key: &str| {
        let body = json!({"email": "ada@example.com"});
        let request = Request::new("POST", format!("{cart}/checkout")).key(key).json(&body);
        token.map_or(request.clone(), |token| request.bearer(token))
    };
    let refused = shop.send(order(None, "one")).await.problem(409, "insufficient_stock");
    assert_eq!(refused["items"][0]["available"], 3);
    let refused = shop.send(order(Some(&shop.token), "two")).await.problem(409, "insufficient_stock");
    assert_eq!(refused["items"][0]["available"], 100);
}

#[tokio::test]
async fn a_hold_is_extended_and_sold() {
    let shop = TestShop::open().await;
    let placed =
        shop.post("/v1/inventory/MUG/holds", json!({"quantity": 30, "ttl_seconds": 60})).await.is(201);
    let hold = placed.header("location").unwrap().to_owned();
    let level = shop.level("MUG").await;
    assert_eq!((&level["held"], &level["available"]), (&json!(30), &json!(70)));
    let extended = shop.post(format!("{hold}/extend"), json!({"ttl_seconds": 600})).await.is(200).json();
    assert!(extended["expires_at"].as_str() > placed.json()["expires_at"].as_str());
    let commit = Request::new("POST", format!("{hold}/commit")).bearer(&shop.token);
    let sold = shop.send(commit).await.is(200).json();
    assert_eq!((&sold["on_hand"], &sold["held"], &sold["sold"]), (&json!(70), &json!(0), &json!(30)));
    shop.send(Request::new("POST", format!("{hold}/commit"))).await.problem(404, "hold_not_found");
}

#[tokio::test]
async fn a_released_hold_gives_its_units_back() {
    let shop = TestShop::open().await;
    let id = "00000000000000000000000000000abc";
    let body = json!({"quantity": 100, "hold_id": id});
    shop.post("/v1/inventory/MUG/holds", body.clone()).await.is(201);
    // Its own id makes the same hold again the same hold.
    assert_eq!(shop.post("/v1/inventory/MUG/holds", body).await.is(201).json()["id"], id);
    shop.post("/v1/inventory/MUG/holds", json!({"quantity": 1, "hold_id": id}))
        .await
        .problem(409, "hold_exists");
    shop.send(shop.put("/v1/inventory/MUG").json(&json!({"on_hand": 99}))).await.problem(409, "below_held");
    shop.send(Request::new("DELETE", format!("/v1/inventory/MUG/holds/{id}"))).await.is(204);
    assert_eq!(shop.level("MUG").await["available"], 100);
}

#[tokio::test]
async fn a_hold_whose_time_has_passed_gives_its_units_back_by_itself() {
    let shop = TestShop::open().await;
    shop.post("/v1/inventory/MUG/holds", json!({"quantity": 100, "ttl_seconds": 1})).await.is(201);
    shop.mugs_become(100, 0).await;
}

#[tokio::test]
async fn a_holds_time_has_limits() {
    let shop = TestShop::open().await;
    for seconds in [0, 86_401, u64::MAX] {
        let body = json!({"quantity": 1, "ttl_seconds": seconds});
        shop.post("/v1/inventory/MUG/holds", body).await.problem(422, "ttl_out_of_range");
    }
}

#[tokio::test]
async fn sixty_four_buyers_of_one_sku_never_get_more_than_there_is() {
    let shop = TestShop::open().await;
    let buyers = (0..64).map(|_| async {
        let mut client = shop.client().await;
        let mut got = 0_u32;
        for _ in 0..5 {
            let hold = Request::new("POST", "/v1/inventory/MUG/holds").json(&json!({"quantity": 1}));
            let answer = client.send(hold).await;
            if answer.status == 409 {
                continue;
            }
            let hold = answer.is(201).header("location").unwrap().to_owned();
            client.send(Request::new("POST", format!("{hold}/commit"))).await.is(200);
            got += 1;
        }
        got
    });
    let got: u32 = futures_util::future::join_all(buyers).await.into_iter().sum();
    assert_eq!(got, 100);
    let level = shop.level("MUG").await;
    assert_eq!((&level["on_hand"], &level["sold"]), (&json!(0), &json!(100)));
}
