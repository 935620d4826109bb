//! What is wrong with a request is said of every field at once, by its place (RFC 9457): asked of every endpoint that the
//! description gives a body or a query.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::{
    Request, TestShop,
    described::{Operation, operations, resolved},
};

/// The fields of the body, each with its schema.
fn fields(operation: &Operation) -> Option<Map<String, Value>> {
    let content = &operation.described["requestBody"]["content"]["application/json"]["schema"];
    resolved(content).get("properties")?.as_object().cloned()
}

/// Who may make the call.
fn by_whom(shop: &TestShop, ada: &str, operation: &Operation) -> Request {
    let request = operation.request().key("a-key-of-thirty-two-characters-or-more");
    if operation.is_for_the_service() {
        request.bearer(&shop.token)
    } else if operation.is_for_the_known() {
        request.bearer(ada)
    } else {
        request
    }
}

fn pointers(problem: &Value) -> BTreeSet<&str> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
    for error in errors {
        assert!(error["code"].is_string() && error["detail"].is_string(), "{error}");
    }
    errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_wrong_field_of_every_body_is_named_at_once() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let mut asked = 0;
    for operation in operations() {
        let Some(fields) = fields(&operation) else { continue };
        asked += 1;
        let mut body: Map<String, Value> = fields
            .iter()
            .map(|(name, schema)| {
                (name.clone(), if schema["type"] == "array" { json!("x") } else { json!([]) })
            })
            .collect();
        body.insert("no/such".to_owned(), json!(1));
        let request = by_whom(&shop, &ada, &operation).json(&Value::Object(body));
        let problem = shop.send(request).await.problem(400, "invalid_body");
        let named = pointers(&problem);
        let expected: Vec<String> = fields.keys().map(|name| format!("/{name}")).collect();
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).chain(["/no~1such"]).collect();
        assert_eq!(named, expected, "{operation:?}");
    }
    assert!(asked >= 15, "only {asked} bodies");
}

#[tokio::test]
async fn every_missing_field_of_every_body_is_named_at_once() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    for operation in operations() {
        let content = &operation.described["requestBody"]["content"]["application/json"]["schema"];
        let required = resolved(content)["required"].clone();
        let Some(required) = required.as_array().filter(|required| !required.is_empty()) else { continue };
        let request = by_whom(&shop, &ada, &operation).json(&json!({}));
        let problem = shop.send(request).await.problem(400, "invalid_body");
        let expected: Vec<String> =
            required.iter().map(|name| format!("/{}", name.as_str().unwrap())).collect();
        assert_eq!(pointers(&problem), expected.iter().map(String::as_str).collect(), "{operation:?}");
        assert!(problem["errors"].as_array().unwrap().iter().all(|error| error["code"] == "missing"));
    }
}

/// The parameters of the query.
fn parameters(operation: &Operation) -> Vec<Value> {
    let all = operation.described["parameters"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|parameter| parameter["in"] == "query").collect()
}

#[tokio::test]
async fn every_wrong_parameter_of_every_query_is_named_at_once() {
    let shop = TestShop::open().await;
    let mut asked = 0;
    for operation in operations().iter().filter(|operation| !parameters(operation).is_empty()) {
        asked += 1;
        for (query, named) in [
            ("limit=x&nope=1", vec!["/limit", "/nope"]),
            ("limit=0&cursor=!", vec!["/cursor", "/limit"]),
            ("limit=1&limit=2&cursor=%00", vec!["/cursor", "/limit"]),
        ] {
            let path = format!("{}?{query}", operation.path());
            let answer = shop.send(Request::new("GET", path).bearer(&shop.token)).await;
            let problem = answer.problem(400, "invalid_query");
            assert_eq!(pointers(&problem), named.into_iter().collect(), "{operation:?} {query}");
        }
    }
    assert!(asked >= 2);
}

#[tokio::test]
async fn what_no_account_can_have_is_said_of_every_field() {
    let shop = TestShop::open().await;
    let body = json!({"email": "ada", "password": "short", "name": " "});
    let problem = shop.post("/v1/users", body).await.problem(422, "invalid_field");
    assert_eq!(pointers(&problem), ["/email", "/name", "/password"].into());
    let mixed = json!({"email": "ada@example.com", "password": "short", "name": 7});
    let problem = shop.post("/v1/users", mixed).await.problem(400, "invalid_body");
    assert_eq!(pointers(&problem), ["/name", "/password"].into());
}

#[tokio::test]
async fn what_no_product_can_be_is_said_of_every_field() {
    let shop = TestShop::open().await;
    let price = |amount: i64, currency: &str| json!({"amount": amount, "currency": currency});
    let body = json!({"name": "", "category": "a\nb", "variants": [
        {"sku": "..", "prices": [price(-1, "GBP"), price(1, "GBP")]},
        {"sku": "ok", "prices": []},
        {"sku": "ok", "prices": []}]});
    let problem = shop.send(shop.put("/v1/products/P").json(&body)).await.problem(422, "invalid_field");
    let expected = [
        "/name",
        "/category",
        "/variants/0/sku",
        "/variants/0/prices/0/amount",
        "/variants/0/prices/1/currency",
        "/variants/2/sku",
    ];
    assert_eq!(pointers(&problem), expected.into());
    let body = json!({"name": "P", "variants": [
        {"sku": "no sku", "prices": [price(1, "pounds")]}, {"prices": []}, {"sku": "x", "prices": [{}]}]});
    let problem = shop.send(shop.put("/v1/products/P").json(&body)).await.problem(400, "invalid_body");
    let expected = [
        "/variants/0/sku",
        "/variants/0/prices/0/currency",
        "/variants/1/sku",
        "/variants/2/prices/0/amount",
        "/variants/2/prices/0/currency",
    ];
    assert_eq!(pointers(&problem), expected.into());
}

#[tokio::test]
async fn what_no_hold_and_no_batch_can_be_is_said_of_every_part() {
    let shop = TestShop::open().await;
    let hold = Request::new("POST", "/v1/inventory/MUG/holds").bearer(&shop.token);
    let hold = hold.json(&json!({"quantity": 0, "ttl_seconds": 0}));
    let problem = shop.send(hold).await.problem(422, "quantity_out_of_range");
    assert_eq!(pointers(&problem), ["/quantity", "/ttl_seconds"].into());

    let cart = shop.cart().await;
    let batch = json!({"mode": "atomic", "operations": [
        {"op": "add", "sku": "MUG"}, {"op": "remove", "sku": "MUG", "quantity": 1}, {"op": "add", "sku": "a b", "quantity": 1}]});
    let problem = shop.post(format!("{cart}/batch"), batch).await.problem(400, "invalid_body");
    let expected = ["/operations/0/quantity", "/operations/1/quantity", "/operations/2/sku"];
    assert_eq!(pointers(&problem), expected.into());
    let batch = json!({"mode": "atomic", "operations": [
        {"op": "add", "sku": "MUG", "quantity": 1}, {"op": "add", "sku": "MUG", "quantity": 1000}]});
    let problem = shop.post(format!("{cart}/batch"), batch).await.problem(422, "quantity_out_of_range");
    assert_eq!(pointers(&problem), ["/operations/1/quantity"].into());
}

#[tokio::test]
async fn the_character_zero_is_refused_in_every_field_of_every_body() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    for operation in operations() {
        for (name, schema) in fields(&operation).into_iter().flatten() {
            let text = schema["type"] == "string" || resolved(&schema)["type"] == "string";
            let body =
                if text { json!({name.clone(): "a\0b"}) } else { json!({name.clone(): {"a\0": ["b\0"]}}) };
            let request = by_whom(&shop, &ada, &operation).json(&body);
            let problem = shop.send(request).await.problem(400, "invalid_body");
            let at = format!("/{name}");
            assert!(pointers(&problem).iter().any(|pointer| pointer.starts_with(&at)), "{problem}");
        }
    }
}

#[tokio::test]
async fn the_character_zero_is_refused_where_nothing_else_is_wrong() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let forbidden = |problem: Value, pointer: &str| {
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
        assert_eq!(problem["errors"][0]["code"], "forbidden_character");
    };
    let sign_in = json!({"email": "a\0@example.com", "password": "correct horse"});
    forbidden(shop.post("/v1/sessions", sign_in).await.problem(400, "invalid_body"), "/email");
    let open = json!({"email": "eve@example.com", "password": "correct\0horse", "name": "Eve"});
    forbidden(shop.post("/v1/users", open).await.problem(400, "invalid_body"), "/password");
    let rename = Request::new("PATCH", "/v1/users/me").bearer(&ada).json(&json!({"name": "A\0da"}));
    forbidden(shop.send(rename).await.problem(400, "invalid_body"), "/name");
    let notes = json!({"metadata": {"notes": [{"gift\0": 1}]}});
    forbidden(shop.post("/v1/carts", notes).await.problem(400, "invalid_body"), "/metadata/notes/0/gift\0");
    let product = json!({"name": "M\0ug", "variants": [{"sku": "CUP", "prices": []}]});
    let put = shop.put("/v1/products/CUP").json(&product);
    forbidden(shop.send(put).await.problem(400, "invalid_body"), "/name");
    forbidden(shop.get("/v1/products?query=a%00b").await.problem(400, "invalid_query"), "/query");
    for operation in operations().iter().filter(|operation| operation.route.contains('{')) {
        let path = operation.route.replace("{sku}", "M%00UG").replace("{id}", "M%00UG");
        let request = Request::new(operation.method, path).bearer(&shop.token);
        shop.send(request).await.problem(400, "invalid_path");
    }
    // A backslash before it makes it six harmless characters.
    let notes = r#"{"metadata": {"note": "\\u0000"}}"#;
    shop.send(Request::new("POST", "/v1/carts").text("application/json", notes)).await.is(201);
}

#[tokio::test]
async fn an_account_keeps_what_cannot_be_taken_away() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let patch = |body: Value| Request::new("PATCH", "/v1/users/me").bearer(&ada).json(&body);
    let problem = shop.send(patch(json!({"email": null}))).await.problem(422, "invalid_field");
    assert_eq!(pointers(&problem), ["/email"].into());
    let problem = shop.send(patch(json!({"email": null, "name": null}))).await.problem(422, "invalid_field");
    assert_eq!(pointers(&problem), ["/email", "/name"].into());
    assert_eq!(shop.send(patch(json!({}))).await.is(200).header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn limits_count_characters() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let rename =
        |name: String| Request::new("PATCH", "/v1/users/me").bearer(&ada).json(&json!({"name": name}));
    shop.send(rename("é".repeat(200))).await.is(200);
    shop.send(rename("é".repeat(201))).await.problem(422, "invalid_field");
    // {"note":"..."} has eleven characters beside the note.
    let notes = |count: usize| json!({"metadata": {"note": "ß".repeat(count)}});
    shop.post("/v1/carts", notes(4096 - 11)).await.is(201);
    shop.post("/v1/carts", notes(4096 - 10)).await.problem(422, "invalid_metadata");
    let home = |count: usize| {
        let body = json!({"address": {"note": "ß".repeat(count)}});
        Request::new("POST", "/v1/users/me/addresses").bearer(&ada).json(&body)
    };
    shop.send(home(4096 - 11)).await.is(201);
    shop.send(home(4096 - 10)).await.problem(422, "invalid_field");
    let adjust = |count: usize| {
        let body = json!({"delta": 1, "reason": "ж".repeat(count)});
        Request::new("POST", "/v1/inventory/MUG/adjustments").bearer(&shop.token).json(&body)
    };
    shop.send(adjust(200)).await.is(200);
    shop.send(adjust(201)).await.problem(422, "invalid_field");
    let product = |count: usize| {
        let body = json!({"name": "Mug", "description": "語".repeat(count), "variants": [{"sku": "MUG", "prices": []}]});
        shop.put("/v1/products/MUG").json(&body)
    };
    shop.send(product(16 * 1024)).await.is(200);
    shop.send(product(16 * 1024 + 1)).await.problem(422, "invalid_field");
}
