//! Nobody may keep the service waiting, or make it hold much.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{PATIENCE, Request, TestShop};

#[tokio::test]
async fn headers_that_trickle_in_are_cut_off() {
    let shop = TestShop::open_with(|settings| settings.http.header_timeout_seconds = Some(1)).await;
    let mut client = shop.client().await;
    let begun = Instant::now();
    client.write(b"GET /v1/products HTTP/1.1\r\n").await;
    let closed = loop {
        client.write(b"X-Slow: 1\r\n").await;
        if let Ok(answer) = tokio::time::timeout(Duration::from_millis(200), client.read(false)).await {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE, "the connection is still open");
    };
    assert!(closed.is_none_or(|answer| answer.status == 408), "the request was answered");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let shop = TestShop::open_with(|settings| settings.http.body_timeout_seconds = Some(1)).await;
    let cart = shop.cart().await;
    let mut client = shop.client().await;
    let head = format!(
        "POST {cart}/items HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{{"
    );
    client.write(head.as_bytes()).await;
    client.read(false).await.unwrap().problem(408, "request_timeout");
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let shop = TestShop::open().await;
    let mut request = Request::new("GET", "/v1/products");
    for index in 0..100 {
        request = request.header(&format!("X-Header-{index}"), "1");
    }
    shop.send(request).await.is(431);
}

#[tokio::test]
async fn headers_that_are_too_long_are_refused() {
    let shop = TestShop::open().await;
    let request = Request::new("GET", "/v1/products").header("X-Long", &"x".repeat(20_000));
    shop.send(request).await.is(431);
}

#[tokio::test]
async fn more_connections_than_allowed_wait() {
    let shop = TestShop::open_with(|settings| settings.http.max_connections = Some(2)).await;
    // What the shop's own set-up used is closed soon.
    let mut first = shop.client().await;
    first.send(Request::new("GET", "/v1/products")).await.is(200);
    let mut second = shop.client().await;
    second.send(Request::new("GET", "/v1/products")).await.is(200);
    let mut third = shop.client().await;
    let waits =
        tokio::time::timeout(Duration::from_millis(300), third.send(Request::new("GET", "/v1/products")));
    assert!(waits.await.is_err(), "a third connection was served");
    drop(first);
    third.read(false).await.unwrap().is(200);
}

#[tokio::test]
async fn many_sign_ins_at_once_do_not_starve_the_carts() {
    let shop = TestShop::open_with(|settings| {
        settings.auth.password_concurrency = Some(1);
        settings.auth.password_queue = Some(2);
    })
    .await;
    let cart = shop.cart().await;
    let sign_in = || shop.post("/v1/sessions", json!({"email": "no@example.com", "password": "wrong horse"}));
    let attempts = futures_util::future::join_all((0..12).map(|_| sign_in()));
    let read = async {
        let begun = Instant::now();
        shop.get(&cart).await.is(200);
        begun.elapsed()
    };
    let (answers, read) = tokio::join!(attempts, read);
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!refused.is_empty() && refused.len() < answers.len());
    for answer in refused {
        assert!(answer.header("retry-after").is_some());
        assert!(answer.json()["retry_after_ms"].as_u64().unwrap() > 0);
    }
    assert!(read < Duration::from_secs(1), "a cart was read in {read:?}");
}
