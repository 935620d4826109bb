use serde_json::Value;

use crate::support::{Answer, Client, Request, TestShop};

/// Asks the operator's listener.
pub(crate) async fn ops(shop: &TestShop, method: &'static str, path: &str) -> Answer {
    Client::connect(shop.app.ops).await.send(Request::new(method, path)).await
}

#[tokio::test]
async fn the_probes_answer() {
    let shop = TestShop::open().await;
    ops(&shop, "GET", "/healthz").await.is(200);
    ops(&shop, "GET", "/readyz").await.is(200);
    let console = ops(&shop, "GET", "/ops").await.is(200);
    assert!(console.header("content-type").unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn the_status_tells_of_the_engine() {
    let shop = TestShop::open().await;
    let status = ops(&shop, "GET", "/ops/api/status").await.is(200).json();
    assert_eq!(status["ready"], true);
    assert_eq!(status["engine"]["products"], 2);
    assert_eq!(status["engine"]["read_only"], Value::Null);
    let shards = ops(&shop, "GET", "/ops/api/shards").await.is(200).json();
    assert_eq!(shards["items"].as_array().unwrap().len(), 1024);
    assert!(ops(&shop, "GET", "/ops/api/hot-keys").await.is(200).json()["items"].is_array());
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_id() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    shop.get(&cart).await.is(200);
    let metrics = ops(&shop, "GET", "/metrics").await.is(200);
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(metrics.body).unwrap();
    for series in [
        r#"smartcart_http_requests_total{route="/v1/carts/{id}",method="GET",status="200"}"#,
        r#"smartcart_http_request_duration_seconds_bucket{route="/v1/carts/{id}/items",method="POST""#,
    ] {
        assert!(text.contains(series), "{series} is not in\n{text}");
    }
    assert!(!text.contains(cart.trim_start_matches("/v1/carts/")));
}

#[tokio::test]
async fn another_sites_page_drains_nothing() {
    let shop = TestShop::open().await;
    let request = Request::new("POST", "/ops/api/drain").header("Sec-Fetch-Site", "cross-site");
    Client::connect(shop.app.ops).await.send(request).await.is(403);
    ops(&shop, "GET", "/readyz").await.is(200);
}

#[tokio::test]
async fn a_drained_shop_is_not_ready() {
    let shop = TestShop::open().await;
    ops(&shop, "POST", "/ops/api/drain").await.is(202);
    shop.app.drained().await;
    ops(&shop, "GET", "/readyz").await.is(503);
    ops(&shop, "GET", "/healthz").await.is(200);
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let shop = TestShop::open().await;
    let cart = shop.cart_with_mugs().await;
    let before = shop.get(&cart).await.is(200).json();
    let shop = shop.reopen().await;
    assert_eq!(shop.get(&cart).await.is(200).json(), before);
    assert_eq!(shop.level("MUG").await["on_hand"], 100);
}
