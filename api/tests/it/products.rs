use serde_json::{Value, json};

use crate::support::{Answer, Request, TestShop};

fn names(answer: &Answer) -> Vec<String> {
    let items = answer.json();
    items["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_catalogue_is_browsed() {
    let shop = TestShop::open().await;
    assert_eq!(names(&shop.get("/v1/products").await.is(200)), ["Mug", "Tee"]);
    assert_eq!(names(&shop.get("/v1/products?query=tee-m").await.is(200)), ["Tee"]);
    assert_eq!(names(&shop.get("/v1/products?category=Kitchen").await.is(200)), ["Mug"]);
    assert!(names(&shop.get("/v1/products?query=mug%20tee").await.is(200)).is_empty());
    let first = shop.get("/v1/products?limit=1").await.is(200);
    assert_eq!(names(&first), ["Mug"]);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    let second = shop.get(format!("/v1/products?limit=1&cursor={cursor}")).await.is(200);
    assert_eq!((names(&second), &second.json()["next_cursor"]), (vec!["Tee".to_owned()], &Value::Null));
}

#[tokio::test]
async fn a_product_is_made_read_and_replaced() {
    let shop = TestShop::open().await;
    let cup = |name: &str| {
        json!({"name": name, "images": ["https://example.com/cup.jpg"], "variants": [
        {"sku": "CUP", "prices": [{"amount": 500, "currency": "GBP"}]}]})
    };
    let made = shop.send(shop.put("/v1/products/CUP").json(&cup("Cup"))).await.is(201);
    assert_eq!(made.header("location"), Some("/v1/products/CUP"));
    assert_eq!(made.header("etag"), Some("\"1\""));
    let read = shop.get("/v1/products/CUP").await.is(200);
    assert_eq!(read.json(), made.json());
    let not_again = Request::new("GET", "/v1/products/CUP").header("If-None-Match", "\"1\"");
    shop.send(not_again).await.is(304);
    let replaced = shop.send(shop.put("/v1/products/CUP").header("If-Match", "\"1\"").json(&cup("Big cup")));
    assert_eq!(replaced.await.is(200).json()["version"], 2);
    shop.send(Request::new("DELETE", "/v1/products/CUP").bearer(&shop.token)).await.is(204);
    shop.get("/v1/products/CUP").await.problem(404, "product_not_found");
    shop.get("/v1/inventory/CUP").await.problem(404, "sku_not_found");
}

#[tokio::test]
async fn products_that_make_no_sense_are_refused() {
    let shop = TestShop::open().await;
    let variant =
        |sku: &str, amount: i64| json!({"sku": sku, "prices": [{"amount": amount, "currency": "GBP"}]});
    for (product, status, code) in [
        (json!({"name": "", "variants": [variant("A", 1)]}), 422, "invalid_field"),
        (json!({"name": "A", "variants": []}), 422, "invalid_field"),
        (json!({"name": "A", "variants": [variant("A", 1), variant("A", 1)]}), 422, "invalid_field"),
        (json!({"name": "A", "variants": [variant("A", -1)]}), 422, "invalid_field"),
        (json!({"name": "A", "variants": [variant("a b", 1)]}), 400, "invalid_body"),
        (json!({"name": "A", "variants": [variant("MUG", 1)]}), 409, "sku_taken"),
        (json!({"id": "B", "name": "A", "variants": [variant("A", 1)]}), 422, "invalid_field"),
        (json!({"name": "A", "variants": [variant("A", 1)], "colour": "red"}), 400, "invalid_body"),
    ] {
        shop.send(shop.put("/v1/products/A").json(&product)).await.problem(status, code);
    }
    shop.get("/v1/products/A").await.is(404);
}

#[tokio::test]
async fn an_import_takes_what_it_can_and_lists_the_rest() {
    let shop = TestShop::open().await;
    let row = |id: &str, sku: &str| {
        json!({"id": id, "name": id, "variants": [{"sku": sku, "prices": []}]}).to_string()
    };
    let rows =
        [row("A", "A"), String::new(), row("B", "MUG"), "{".to_owned(), row("C", "C"), row("D", "a b")];
    let import = || {
        let text = rows.join("\n");
        Request::new("POST", "/v1/products/import").bearer(&shop.token).text("application/x-ndjson", text)
    };
    let result = shop.send(import()).await.is(200).json();
    assert_eq!((&result["written"], &result["unchanged"]), (&json!(2), &json!(0)));
    let rejected = result["rejected"].as_array().unwrap();
    let mut lines: Vec<_> = rejected.iter().map(|row| (row["line"].as_u64(), row["code"].as_str())).collect();
    lines.sort();
    assert_eq!(
        lines,
        [(Some(3), Some("sku_taken")), (Some(4), Some("malformed_json")), (Some(6), Some("invalid_body")),]
    );
    let again = shop.send(import()).await.is(200).json();
    assert_eq!((&again["written"], &again["unchanged"]), (&json!(0), &json!(2)));
}
