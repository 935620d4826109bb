use serde_json::{Value, json};

use crate::support::{Answer, Request, TestShop, described::operations};

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

fn cup(amount: i64) -> Value {
    json!({"name": "Cup", "variants": [{"sku": "CUP", "prices": [{"amount": amount, "currency": "GBP"}]}]})
}

async fn price(shop: &TestShop) -> Value {
    shop.get("/v1/products/CUP").await.is(200).json()["variants"][0]["prices"][0]["amount"].clone()
}

#[tokio::test]
async fn a_replayed_write_brings_no_old_price_and_no_deleted_product_back() {
    let shop = TestShop::open().await;
    let first = || shop.put("/v1/products/CUP").key("first").json(&cup(500));
    shop.send(first()).await.is(201);
    shop.send(shop.put("/v1/products/CUP").json(&cup(900))).await.is(200);
    let again = shop.send(first()).await.is(201);
    // The outcome of then; what is sold is what the tables have now.
    assert_eq!(again.json()["variants"][0]["prices"][0]["amount"], 500);
    assert_eq!(price(&shop).await, 900);
    let cart = shop.cart().await;
    shop.post(format!("{cart}/items"), json!({"sku": "CUP", "quantity": 1})).await.is(200);
    let delete = || Request::new("DELETE", "/v1/products/CUP").bearer(&shop.token).key("gone");
    shop.send(delete()).await.is(204);
    shop.send(first()).await.is(201);
    shop.get("/v1/products/CUP").await.problem(404, "product_not_found");
    let add = shop.post(format!("{cart}/items"), json!({"sku": "CUP", "quantity": 1})).await;
    add.problem(422, "unknown_sku");
    // A replayed deletion does not take what was made since.
    shop.send(shop.put("/v1/products/CUP").json(&cup(700))).await.is(201);
    shop.send(delete()).await.is(204);
    assert_eq!(price(&shop).await, 700);
}

#[tokio::test]
async fn an_import_moves_skus_between_its_products_and_is_repeatable() {
    let shop = TestShop::open().await;
    let row = |id: &str, skus: &[&str]| {
        let variants: Vec<Value> = skus.iter().map(|sku| json!({"sku": sku, "prices": []})).collect();
        json!({"id": id, "name": id, "variants": variants}).to_string()
    };
    let import = async |rows: &[String]| {
        let request = Request::new("POST", "/v1/products/import").bearer(&shop.token);
        let result = shop.send(request.text("application/x-ndjson", rows.join("\n"))).await.is(200).json();
        (result["written"].clone(), result["unchanged"].clone(), result["rejected"].clone())
    };
    import(&[row("A", &["A1", "A2"]), row("B", &["B1"]), row("C", &["C1"])]).await;
    // A2 goes to B before A lets go of it, B1 and C1 change places, and one row cannot be.
    let moved = [
        row("B", &["C1", "A2"]),
        row("C", &["B1"]),
        row("D", &["MUG", "D1"]),
        row("A", &["A1"]),
        row("A", &["X"]),
    ];
    let (written, unchanged, rejected) = import(&moved).await;
    assert_eq!((written, unchanged), (json!(3), json!(0)), "{rejected}");
    let lines = rejected.as_array().unwrap().iter().map(|row| (row["line"].clone(), row["code"].clone()));
    let expected = [(json!(3), json!("sku_taken")), (json!(5), json!("invalid_field"))];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
    let owned = async |shop: &TestShop, id: &str| {
        let product = shop.get(format!("/v1/products/{id}")).await.is(200).json();
        let skus = product["variants"].as_array().unwrap().iter().map(|variant| variant["sku"].to_string());
        skus.collect::<Vec<_>>().join(" ")
    };
    let all = [("A", "\"A1\""), ("B", "\"C1\" \"A2\""), ("C", "\"B1\"")];
    for sku in ["A1", "A2", "B1", "C1"] {
        shop.get(format!("/v1/products?query={sku}")).await.is(200);
        let cart = shop.post("/v1/carts", json!({"currency": "EUR"})).await.is(201);
        let items = format!("{}/items", cart.header("location").unwrap());
        shop.post(items, json!({"sku": sku, "quantity": 1})).await.problem(422, "no_price");
    }
    for (id, skus) in all {
        assert_eq!(owned(&shop, id).await, skus);
    }
    let (written, unchanged, again) = import(&moved).await;
    assert_eq!((written, unchanged, again), (json!(0), json!(3), rejected));
    let shop = shop.reopen().await;
    for (id, skus) in all {
        assert_eq!(owned(&shop, id).await, skus);
    }
}

#[tokio::test]
async fn writers_of_one_product_leave_the_last_of_them_on_sale() {
    let shop = TestShop::open().await;
    for round in 0..5 {
        let writes = (0..8).map(|writer| {
            let request = shop.put("/v1/products/CUP").json(&cup(round * 10 + writer));
            async { shop.send(request).await.status }
        });
        futures_util::future::join_all(writes).await;
        let sold = shop.get("/v1/products/CUP").await.is(200).json();
        let (generation, stored) = shop.app.engine().store().load_catalog().await.unwrap();
        let stored = stored.into_iter().find(|product| product.id.as_str() == "CUP").unwrap();
        assert_eq!(sold["variants"][0]["prices"][0]["amount"], stored.variants[0].prices[0].amount);
        assert_eq!(sold["version"], stored.version);
        assert_eq!(shop.app.engine().catalog().generation(), generation);
    }
}

#[tokio::test]
async fn a_file_from_a_spreadsheet_loses_no_row() {
    let shop = TestShop::open().await;
    let row = |id: &str| json!({"id": id, "name": id, "variants": [{"sku": id, "prices": []}]}).to_string();
    let text = format!("\u{feff}{}\r\n\r\n{}\r\n", row("A"), row("B"));
    let result = import(&shop, text).await;
    assert_eq!((&result["written"], &result["rejected"]), (&json!(2), &json!([])));
    shop.get("/v1/products/A").await.is(200);
}

#[tokio::test]
async fn a_bad_row_costs_one_row_and_says_all_that_is_wrong_with_it() {
    let shop = TestShop::open().await;
    let row = |id: &str, name: &str| {
        json!({"id": id, "name": name, "variants": [{"sku": id, "prices": []}]}).to_string()
    };
    let rows = [
        row("A", "A"),
        row("B", "nul\0nul"),
        json!({"name": 7, "variants": [{"sku": "a b"}]}).to_string(),
        json!({"name": "no id", "variants": [{"sku": "D", "prices": []}]}).to_string(),
        row("E", "E"),
    ];
    let result = import(&shop, rows.join("\n")).await;
    assert_eq!(result["written"], 2);
    let rejected: Vec<(u64, Vec<&str>)> = result["rejected"].as_array().unwrap().iter().map(errors).collect();
    assert_eq!(
        rejected,
        [(2, vec!["/name"]), (3, vec!["/name", "/variants/0/prices", "/variants/0/sku"]), (4, vec!["/id"]),]
    );
}

fn errors(row: &Value) -> (u64, Vec<&str>) {
    let errors = row["errors"].as_array().unwrap();
    let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    (row["line"].as_u64().unwrap(), pointers)
}

async fn import(shop: &TestShop, text: String) -> Value {
    let request = Request::new("POST", "/v1/products/import").bearer(&shop.token);
    shop.send(request.text("application/x-ndjson", text)).await.is(200).json()
}

/// Words that stand for something else at the end of an address: dots that clients take out, and the router's own.
fn reserved() -> Vec<String> {
    let own = operations().into_iter().filter_map(|operation| {
        let (parent, last) = operation.route.rsplit_once('/')?;
        let of_the_shop = parent == "/v1/products" || parent == "/v1/inventory";
        (of_the_shop && !last.starts_with('{')).then(|| last.to_owned())
    });
    let reserved: Vec<_> = own.chain([".".to_owned(), "..".to_owned()]).collect();
    assert!(reserved.contains(&"import".to_owned()));
    reserved
}

#[tokio::test]
async fn whatever_comes_in_can_be_asked_for() {
    let shop = TestShop::open().await;
    for word in reserved() {
        let row =
            |id: &str, sku: &str| json!({"id": id, "name": id, "variants": [{"sku": sku, "prices": []}]});
        let result = import(&shop, row(&word, "A").to_string()).await;
        assert_eq!(errors(&result["rejected"][0]), (1, vec!["/id"]), "{word}");
        let result = import(&shop, row("A", &word).to_string()).await;
        assert_eq!(errors(&result["rejected"][0]), (1, vec!["/variants/0/sku"]), "{word}");
        let product = json!({"name": "A", "variants": [{"sku": "A", "prices": []}]});
        let put = shop.send(shop.put(format!("/v1/products/{word}")).json(&product)).await;
        assert!([405, 422].contains(&put.status), "{word}: {put:?}");
        let shelf = shop.put(format!("/v1/inventory/{word}")).json(&json!({"on_hand": 1}));
        shop.send(shelf).await.problem(404, "sku_not_found");
    }
    assert_eq!(names(&shop.get("/v1/products").await.is(200)), ["Mug", "Tee"]);
}
