//! What must be refused, and must change nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Request, TestShop};

/// Sends a body to a cart with two mugs, and checks that the cart is as it was.
async fn add(body: &str) -> Answer {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let before = shop.get(&cart).await.is(200);
    let answer =
        shop.send(Request::new("POST", format!("{cart}/items")).text("application/json", body)).await;
    let after = shop.get(&cart).await.is(200);
    assert_eq!(before.json(), after.json());
    answer
}

async fn add_quantity(quantity: &str) -> Answer {
    add(&format!(r#"{{"sku": "MUG", "quantity": {quantity}}}"#)).await
}

#[tokio::test]
async fn quantity_zero() {
    let problem = add_quantity("0").await.problem(422, "quantity_out_of_range");
    assert_eq!(problem["limit"], 999);
}

#[tokio::test]
async fn quantity_minus_one() {
    let problem = add_quantity("-1").await.problem(400, "invalid_body");
    assert!(problem["detail"].as_str().unwrap().starts_with("quantity: "));
}

#[tokio::test]
async fn quantity_one_and_a_half() {
    add_quantity("1.5").await.problem(400, "invalid_body");
}

#[tokio::test]
async fn quantity_as_text() {
    add_quantity("\"1\"").await.problem(400, "invalid_body");
}

#[tokio::test]
async fn quantity_two_to_the_31st() {
    add_quantity("2147483648").await.problem(422, "quantity_out_of_range");
}

#[tokio::test]
async fn quantity_two_to_the_63rd() {
    add_quantity("9223372036854775808").await.problem(400, "invalid_body");
}

#[tokio::test]
async fn quantity_beyond_every_number() {
    add_quantity("1e400").await.problem(400, "malformed_json");
}

#[tokio::test]
async fn quantity_not_a_number() {
    add_quantity("NaN").await.problem(400, "malformed_json");
}

#[tokio::test]
async fn quantities_that_add_up_to_too_many() {
    add_quantity("998").await.problem(422, "quantity_out_of_range");
}

#[tokio::test]
async fn an_unknown_sku() {
    let problem = add(r#"{"sku": "NOPE", "quantity": 1}"#).await.problem(422, "unknown_sku");
    assert_eq!(problem["sku"], "NOPE");
}

#[tokio::test]
async fn a_text_that_is_no_sku() {
    add(r#"{"sku": "../../etc/passwd", "quantity": 1}"#).await.problem(422, "unknown_sku");
}

#[tokio::test]
async fn an_unknown_field() {
    let problem = add(r#"{"sku": "MUG", "quantity": 1, "price": 1}"#).await.problem(400, "invalid_body");
    assert!(problem["detail"].as_str().unwrap().contains("price"));
}

#[tokio::test]
async fn a_missing_field() {
    add(r#"{"sku": "MUG"}"#).await.problem(400, "invalid_body");
}

#[tokio::test]
async fn a_body_of_65_kilobytes() {
    let padding = " ".repeat(65 * 1024);
    let problem =
        add(&format!(r#"{{"sku": "MUG", {padding} "quantity": 1}}"#)).await.problem(413, "body_too_large");
    assert_eq!(problem["limit_bytes"], 65536);
}

#[tokio::test]
async fn a_long_body_that_says_nothing_of_its_length() {
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    let mut client = shop.client().await;
    let head = format!(
        "POST {cart}/items HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.write(head.as_bytes()).await;
    for _ in 0..9 {
        client.write(format!("2000\r\n{}\r\n", " ".repeat(0x2000)).as_bytes()).await;
    }
    client.read(false).await.unwrap().problem(413, "body_too_large");
}

#[tokio::test]
async fn nesting_of_depth_100() {
    let deep = |open: &str, close: &str| open.repeat(100) + "1" + &close.repeat(100);
    add(&deep("[", "]")).await.problem(400, "invalid_body");
    add_quantity(&deep("[", "]")).await.problem(400, "invalid_body");
    let shop = TestShop::open().await;
    let body = format!(r#"{{"metadata": {}}}"#, deep(r#"{"a":"#, "}"));
    let answer = shop.send(Request::new("POST", "/v1/carts").text("application/json", body)).await;
    answer.problem(400, "invalid_body");
}

#[tokio::test]
async fn nesting_without_end() {
    add(&"[".repeat(60_000)).await.is(400);
    add(&r#"{"a":"#.repeat(12_000)).await.is(400);
}

#[tokio::test]
async fn metadata_that_is_too_long() {
    let shop = TestShop::open().await;
    let body = json!({"metadata": {"note": "x".repeat(5000)}});
    shop.post("/v1/carts", body).await.problem(422, "invalid_metadata");
    shop.post("/v1/carts", json!({"metadata": [1]})).await.problem(400, "invalid_body");
}

#[tokio::test]
async fn a_currency_that_is_none() {
    let shop = TestShop::open().await;
    for currency in ["gbp", "XXX", "", "POUNDS"] {
        shop.post("/v1/carts", json!({"currency": currency})).await.problem(400, "invalid_body");
    }
}

#[tokio::test]
async fn the_wrong_content_type() {
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    let body = r#"{"sku": "MUG", "quantity": 1}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let answer = shop.send(Request::new("POST", format!("{cart}/items")).text(kind, body)).await;
        answer.problem(415, "unsupported_media_type");
    }
    let fine = Request::new("POST", format!("{cart}/items")).text("application/json; charset=utf-8", body);
    shop.send(fine).await.is(200);
}

#[tokio::test]
async fn broken_json() {
    for body in [
        "{",
        "",
        "{\"sku\": \"MUG\",}",
        "{'sku': 'MUG'}",
        r#"{"sku": "MUG", "quantity": 1} {}"#,
        "\u{feff}{}",
        "nul",
    ] {
        add(body).await.problem(400, "malformed_json");
    }
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    let bytes = b"{\"sku\": \"\xff\xfe\", \"quantity\": 1}".to_vec();
    shop.send(Request::new("POST", format!("{cart}/items")).text("application/json", bytes)).await.is(400);
}

#[tokio::test]
async fn a_field_given_twice() {
    add(r#"{"sku": "MUG", "quantity": 1, "quantity": 2}"#).await.problem(400, "invalid_body");
}

#[tokio::test]
async fn a_stale_if_match() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let change = |tag: &str| {
        Request::new("POST", format!("{cart}/items"))
            .header("If-Match", tag)
            .json(&json!({"sku": "MUG", "quantity": 1}))
    };
    let answer = shop.send(change("\"1\"")).await;
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(answer.problem(412, "version_mismatch")["version"], 2);
    shop.send(change("yesterday")).await.problem(400, "invalid_header");
    shop.send(change("\"2\"")).await.is(200);
    let product = shop
        .put("/v1/products/MUG")
        .header("If-Match", "\"9\"")
        .json(&json!({"name": "Mug", "variants": [{"sku": "MUG", "prices": []}]}));
    shop.send(product).await.problem(412, "version_mismatch");
    let stock = shop.put("/v1/inventory/MUG").header("If-Match", "\"9\"").json(&json!({"on_hand": 1}));
    shop.send(stock).await.problem(412, "version_mismatch");
}

#[tokio::test]
async fn a_reused_key_with_another_body() {
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    let add = |quantity: u32| {
        Request::new("POST", format!("{cart}/items"))
            .key("once")
            .json(&json!({"sku": "MUG", "quantity": quantity}))
    };
    shop.send(add(1)).await.is(200);
    shop.send(add(2)).await.problem(422, "idempotency_key_reused");
    assert_eq!(shop.get(&cart).await.json()["totals"]["quantity"], 1);
}

#[tokio::test]
async fn keys_that_are_none() {
    let shop = TestShop::open().await;
    let cart = shop.cart().await;
    for key in ["", "two words", &"x".repeat(256)] {
        let request = Request::new("DELETE", &cart).key(key);
        shop.send(request).await.problem(400, "invalid_header");
    }
}

#[tokio::test]
async fn a_guests_guessable_key_for_something_new() {
    let shop = TestShop::open().await;
    for (path, body) in [
        ("/v1/carts", json!({})),
        ("/v1/inventory/MUG/holds", json!({"quantity": 1})),
        ("/v1/users", json!({"email": "a@example.com", "password": "correct horse", "name": "A"})),
    ] {
        let answer = shop.send(Request::new("POST", path).key("order-1").json(&body)).await;
        answer.problem(422, "idempotency_key_too_short");
    }
}

#[tokio::test]
async fn somebody_elses_cart() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let (eve, _) = shop.shopper("eve@example.com").await;
    let cart = shop.send(Request::new("POST", "/v1/carts").bearer(&ada)).await.is(201);
    let cart = cart.header("location").unwrap().to_owned();
    let add = json!({"sku": "MUG", "quantity": 1});
    for stranger in [Some(&eve), None] {
        let requests = [
            Request::new("GET", &cart),
            Request::new("DELETE", &cart),
            Request::new("POST", format!("{cart}/items")).json(&add),
            Request::new("PUT", format!("{cart}/items/MUG")).json(&json!({"quantity": 1})),
            Request::new("POST", format!("{cart}/checkout"))
                .key("k")
                .json(&json!({"email": "eve@example.com"})),
        ];
        for request in requests {
            let request = match stranger {
                Some(token) => request.bearer(token),
                None => request,
            };
            shop.send(request).await.problem(404, "cart_not_found");
        }
    }
    shop.send(Request::new("POST", format!("{cart}/items")).bearer(&ada).json(&add)).await.is(200);
}

#[tokio::test]
async fn somebody_elses_order() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let (eve, _) = shop.shopper("eve@example.com").await;
    let mine = shop.send(Request::new("GET", "/v1/carts/mine").bearer(&ada)).await.is(200).json();
    let cart = format!("/v1/carts/{}", mine["id"].as_str().unwrap());
    let add = json!({"sku": "MUG", "quantity": 1});
    shop.send(Request::new("POST", format!("{cart}/items")).bearer(&ada).json(&add)).await.is(200);
    let checkout = Request::new("POST", format!("{cart}/checkout")).bearer(&ada).key("k");
    let order = shop.send(checkout).await.is(201).header("location").unwrap().to_owned();
    for request in [Request::new("GET", &order), Request::new("POST", format!("{order}/cancel"))] {
        shop.send(request.clone().bearer(&eve)).await.problem(404, "order_not_found");
        shop.send(request).await.problem(404, "order_not_found");
    }
    let others = shop.send(Request::new("GET", "/v1/orders").bearer(&eve)).await.is(200);
    assert_eq!(others.json()["items"], json!([]));
    shop.send(Request::new("GET", &order).bearer(&ada)).await.is(200);
}

/// `GET /v1/users/me` with this token.
async fn me(shop: &TestShop, token: &str) -> Answer {
    shop.send(Request::new("GET", "/v1/users/me").bearer(token)).await
}

#[tokio::test]
async fn a_forged_token() {
    let shop = TestShop::open().await;
    let (token, _) = shop.shopper("ada@example.com").await;
    me(&shop, &token).await.is(200);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for forged in [
        format!("{head}.{flipped}{}", &signature[1..]),
        format!("{head}."),
        head.to_owned(),
        "nonsense".to_owned(),
        shop.token[..60].to_owned(),
    ] {
        me(&shop, &forged).await.problem(401, "invalid_token");
    }
    let basic = Request::new("GET", "/v1/users/me").header("Authorization", "Basic YTpi");
    shop.send(basic).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_token_with_other_claims_under_the_same_signature() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let shop = TestShop::open().await;
    let (token, _) = shop.shopper("ada@example.com").await;
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 3600);
    let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2]);
    me(&shop, &forged).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_token_with_alg_none() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let shop = TestShop::open().await;
    let (token, _) = shop.shopper("ada@example.com").await;
    let claims = token.split('.').nth(1).unwrap();
    for algorithm in ["none", "None", "HS384", "RS256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "typ": "JWT"}).to_string());
        me(&shop, &format!("{header}.{claims}.")).await.problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn an_expired_token() {
    let shop = TestShop::open_with(|settings| settings.auth.access_token_seconds = Some(1)).await;
    let (token, _) = shop.shopper("ada@example.com").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    me(&shop, &token).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_hold_of_more_than_there_is() {
    let shop = TestShop::open().await;
    let hold = |quantity: u32| shop.post("/v1/inventory/MUG/holds", json!({"quantity": quantity}));
    for quantity in [101, 1 << 31, u32::MAX] {
        assert_eq!(hold(quantity).await.problem(409, "insufficient_stock")["available"], 10);
    }
    hold(0).await.problem(422, "quantity_out_of_range");
    assert_eq!(shop.level("MUG").await["held"], 0);
    hold(100).await.is(201);
    assert_eq!(hold(1).await.problem(409, "insufficient_stock")["available"], 0);
}

#[tokio::test]
async fn ten_thousand_guessed_cart_ids() {
    let shop = TestShop::open().await;
    let mut client = shop.client().await;
    let in_memory = residents(&shop).await;
    for guess in 0..10_000_u128 {
        let id = format!("{:032x}", guess.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let request = if guess % 2 == 0 {
            Request::new("GET", format!("/v1/carts/{id}"))
        } else {
            let body = json!({"sku": "MUG", "quantity": 1});
            Request::new("POST", format!("/v1/carts/{id}/items")).json(&body)
        };
        client.send(request).await.problem(404, "cart_not_found");
    }
    assert_eq!(residents(&shop).await, in_memory);
}

/// Entities in memory, of all shards.
async fn residents(shop: &TestShop) -> u64 {
    let shards = crate::operations::ops(shop, "GET", "/ops/api/shards").await.is(200).json();
    let count = |kind: &Value| kind.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    shards["items"].as_array().unwrap().iter().map(|shard| count(&shard["carts"])).sum()
}

#[tokio::test]
async fn ids_that_are_none() {
    let shop = TestShop::open().await;
    for id in ["1", "..", "%ff", &"f".repeat(33), &"F".repeat(32), "0x0000000000000000000000000000001"] {
        shop.get(format!("/v1/carts/{id}")).await.is(404);
        shop.get(format!("/v1/orders/{id}")).await.is(404);
    }
    shop.get("/v1/inventory/NOPE").await.problem(404, "sku_not_found");
    shop.get("/v1/products/NOPE").await.problem(404, "product_not_found");
}

#[tokio::test]
async fn queries_that_cannot_be_read() {
    let shop = TestShop::open().await;
    for query in ["limit=0", "limit=201", "limit=-1", "limit=x", "cursor=!", "nope=1"] {
        shop.get(format!("/v1/products?{query}")).await.problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn what_only_the_shop_itself_may_do() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let requests = [
        Request::new("PUT", "/v1/inventory/MUG").json(&json!({"on_hand": 1})),
        Request::new("POST", "/v1/inventory/MUG/adjustments").json(&json!({"delta": 1, "reason": "gift"})),
        Request::new("DELETE", "/v1/products/MUG"),
        Request::new("POST", "/v1/products/import").text("application/x-ndjson", ""),
    ];
    for request in requests {
        shop.send(request.clone()).await.problem(401, "authentication_required");
        shop.send(request.bearer(&ada)).await.problem(403, "forbidden");
    }
}
