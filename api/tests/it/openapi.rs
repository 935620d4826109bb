use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use smartcart_api::{problem::Code, router};

use crate::support::{Request, TestShop, described::operations};

fn described() -> String {
    let (_, description) = router::api(Duration::from_secs(1), smartcart_api::target::Target::All);
    description.to_pretty_json().unwrap() + "\n"
}

/// `UPDATE_OPENAPI=1` writes the file anew.
#[test]
fn the_file_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let described = described();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, &described).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == described,
        "api/openapi.json is out of date: UPDATE_OPENAPI=1 cargo test -p smartcart-api openapi"
    );
}

#[test]
fn every_operation_has_a_name_and_an_answer() {
    let description: Value = serde_json::from_str(&described()).unwrap();
    let mut names = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let name =
                operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
            assert!(answers.contains_key("default"), "{name}");
            names.push(name.to_owned());
        }
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "two operations have one name");
}

#[test]
fn every_problem_code_is_explained() {
    let description: Value = serde_json::from_str(&described()).unwrap();
    let explained = description["components"]["responses"]["Failure"]["description"].as_str().unwrap();
    for code in Code::ALL {
        let line = format!("| `{}` | {} | {} |\n", code.as_str(), code.status().as_u16(), code.title());
        assert!(explained.contains(&line), "{code:?}");
    }
}

/// Every `$ref` of the document leads somewhere.
#[test]
fn every_reference_resolves() {
    let description: Value = serde_json::from_str(&described()).unwrap();
    let mut open = vec![&description];
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
        match value {
            Value::Object(fields) => open.extend(fields.values()),
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

#[tokio::test]
async fn the_service_gives_its_description_and_a_page_to_read_it() {
    let shop = TestShop::open().await;
    let served = shop.get("/openapi.json").await.is(200).json();
    assert_eq!(served, serde_json::from_str::<Value>(&described()).unwrap());
    let page = shop.get("/docs/").await.is(200);
    assert!(String::from_utf8_lossy(&page.body).contains("<html"));
}

/// Tags are described where there are some, and only there.
#[tokio::test]
async fn every_read_has_the_tag_that_its_description_names() {
    let shop = TestShop::open().await;
    let (ada, _) = shop.shopper("ada@example.com").await;
    let mine = shop.send(Request::new("GET", "/v1/carts/mine").bearer(&ada)).await.is(200).json();
    let cart = mine["id"].as_str().unwrap();
    let items = Request::new("POST", format!("/v1/carts/{cart}/items")).bearer(&ada);
    shop.send(items.json(&serde_json::json!({"sku": "MUG", "quantity": 1}))).await.is(200);
    let checkout = Request::new("POST", format!("/v1/carts/{cart}/checkout")).bearer(&ada).key("k");
    let order = shop.send(checkout).await.is(201).json();
    let order = order["id"].as_str().unwrap();
    for operation in operations().into_iter().filter(|operation| operation.method == "GET") {
        let path = operation.route.replace("/carts/{id}", &format!("/carts/{cart}"));
        let path = path.replace("/orders/{id}", &format!("/orders/{order}"));
        let path = path.replace("{sku}", "MUG").replace("{id}", "MUG");
        let read = || Request::new("GET", &path).bearer(&ada);
        let answer = shop.send(read()).await.is(200);
        let described = &operation.described["responses"]["200"]["headers"]["ETag"];
        assert_eq!(described.is_object(), answer.header("etag").is_some(), "{path}");
        let known = shop.send(read().header("If-None-Match", answer.header("etag").unwrap())).await;
        assert_eq!(known.status, 304, "{path}");
    }
}

/// The table of changes is in `preconditions.rs`; here, what it does not ask.
#[test]
fn a_change_names_an_if_match_where_a_version_can_be_known() {
    for operation in operations().into_iter().filter(|operation| operation.method != "GET") {
        let parameters = operation.described["parameters"].as_array().cloned().unwrap_or_default();
        let takes = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
        let is_of_a_thing = operation.route.contains('{')
            || operation.route == "/v1/users/me"
            || operation.route == "/v1/users/me/password";
        assert_eq!(takes("If-Match"), is_of_a_thing, "{} {}", operation.method, operation.route);
        let may_create = operation.method == "PUT"
            && ["products", "inventory"].contains(&operation.route.split('/').nth(2).unwrap());
        assert_eq!(
            takes("If-None-Match"),
            may_create && is_of_a_thing,
            "{} {}",
            operation.method,
            operation.route
        );
    }
}
