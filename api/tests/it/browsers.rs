//! What browsers, caches and proxies rely on.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::support::{
    Answer, Request, TestShop,
    described::{Operation, operations},
};

fn kept(answer: &Answer) -> &str {
    answer.header("cache-control").unwrap_or_else(|| panic!("nothing is said to caches: {answer:?}"))
}

#[tokio::test]
async fn every_answer_says_what_caches_may_keep() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    for operation in operations() {
        for token in [None, Some(&ada), Some(&shop.token)] {
            let request = match token {
                Some(token) => operation.request().bearer(token),
                None => operation.request(),
            };
            let answer = shop.send(request).await;
            let expected = match operation.route.split('/').nth(2).unwrap() {
                _ if answer.status >= 400 => "no-store",
                "products" if operation.method == "GET" => "public, no-cache",
                "products" | "carts" | "orders" | "inventory" => "private, no-cache",
                "users" | "sessions" => "no-store",
                other => panic!("nobody has said what may be kept of {other}"),
            };
            assert_eq!(kept(&answer), expected, "{operation:?}");
            assert_eq!(answer.header("vary").is_some(), expected.starts_with("public"), "{operation:?}");
        }
    }
    assert_eq!(kept(&shop.get("/nowhere").await), "no-store");
    assert_eq!(kept(&shop.send(Request::new("PATCH", "/v1/carts")).await.is(405)), "no-store");
    assert_eq!(kept(&shop.get("/openapi.json").await.is(200)), "public, no-cache");
    assert_eq!(kept(&shop.get("/docs/").await.is(200)), "public, no-cache");
}

/// What is answered 200 without anybody's token, and 304 when it is known.
#[tokio::test]
async fn a_known_version_is_kept_as_its_whole_was() {
    let shop = TestShop::open().await;
    let tag = shop.get("/v1/products/MUG").await.is(200).header("etag").unwrap().to_owned();
    let known = Request::new("GET", "/v1/products/MUG").header("If-None-Match", &tag);
    assert_eq!(kept(&shop.send(known).await.is(304)), "public, no-cache");
}

fn preflight(origin: &str) -> Request {
    Request::new("OPTIONS", "/v1/carts")
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type,idempotency-key,if-match")
}

#[tokio::test]
async fn a_storefront_of_a_named_origin_may_use_the_service() {
    let ours = "https://shop.example";
    let shop = TestShop::open_with(|settings| {
        settings.http.cors_origins = Some(format!("{ours}, http://localhost:3000"));
    })
    .await;
    let allowed = shop.send(preflight(ours)).await.is(200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some(ours));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("PATCH"));
    let headers = allowed.header("access-control-allow-headers").unwrap().to_lowercase();
    for name in ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match"] {
        assert!(headers.contains(name), "{name}: {headers}");
    }
    let read = Request::new("GET", "/v1/products/MUG").header("Origin", "http://localhost:3000");
    let read = shop.send(read).await.is(200);
    assert_eq!(read.header("access-control-allow-origin"), Some("http://localhost:3000"));
    let exposed = read.header("access-control-expose-headers").unwrap().to_lowercase();
    for name in ["etag", "location", "retry-after", "idempotent-replayed", "smartcart-durability"] {
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
    // A failure is read by the script too.
    let failed = Request::new("GET", "/v1/products/NOPE").header("Origin", ours);
    assert_eq!(shop.send(failed).await.is(404).header("access-control-allow-origin"), Some(ours));

    let theirs = "https://evil.example";
    assert_eq!(shop.send(preflight(theirs)).await.header("access-control-allow-origin"), None);
    let read = Request::new("GET", "/v1/products/MUG").header("Origin", theirs);
    assert_eq!(shop.send(read).await.is(200).header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn without_the_setting_no_origin_is_allowed_and_with_a_star_every_one_is() {
    let closed = TestShop::open().await;
    let answer = closed.send(preflight("https://shop.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let open = TestShop::open_with(|settings| settings.http.cors_origins = Some("*".to_owned())).await;
    let answer = open.send(preflight("https://shop.example")).await.is(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_who_takes_it() {
    let shop = TestShop::open().await;
    let long = json!({"name": "Mug", "description": "porcelain ".repeat(500), "variants": [
        {"sku": "MUG", "prices": []}]});
    shop.send(shop.put("/v1/products/MUG").json(&long)).await.is(200);
    let read = |encodings: &str| Request::new("GET", "/v1/products/MUG").header("Accept-Encoding", encodings);
    let whole = shop.get("/v1/products/MUG").await.is(200);
    assert_eq!(whole.header("content-encoding"), None);
    let packed = shop.send(read("gzip, br")).await.is(200);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() * 10 < whole.body.len());
    let mut text = Vec::new();
    GzDecoder::new(packed.body.as_slice()).read_to_end(&mut text).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), whole.json());
    assert_eq!(shop.send(read("identity")).await.is(200).header("content-encoding"), None);
    // A short one would only become longer.
    let short = Request::new("GET", "/v1/products/TEE").header("Accept-Encoding", "gzip");
    assert_eq!(shop.send(short).await.is(200).header("content-encoding"), None);

    let plain = TestShop::open_with(|settings| settings.http.compress_above_bytes = Some(0)).await;
    plain.send(plain.put("/v1/products/MUG").json(&long)).await.is(200);
    assert_eq!(plain.send(read("gzip")).await.is(200).header("content-encoding"), None);
}

#[tokio::test]
async fn a_compressed_body_is_refused_as_such() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    for operation in operations().into_iter().filter(Operation::takes_a_body) {
        for token in [&shop.token, &ada] {
            let kind = if operation.route.ends_with("/import") {
                "application/x-ndjson"
            } else {
                "application/json"
            };
            let body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00".as_slice();
            let request =
                operation.request().bearer(token).text(kind, body).header("Content-Encoding", "gzip");
            let answer = shop.send(request).await;
            if answer.status != 403 {
                answer.problem(415, "unsupported_media_type");
            }
        }
    }
    let cart = shop.cart().await;
    let plain = Request::new("POST", format!("{cart}/items")).header("Content-Encoding", "identity");
    shop.send(plain.json(&json!({"sku": "MUG", "quantity": 1}))).await.is(200);
}
